"""Installs the other programs of the benchmark as root on Debian and Ubuntu; elsewhere names what is missing."""

import os
import shutil
import subprocess
from typing import Optional

from common import FOLDER, BenchFailed, output, log

PROGRAMS = {
    "cc": "gcc",
    "openssl": "openssl",
    "ruby": "ruby",
    "strace": "strace",
    "valgrind": "valgrind",
}
HEADERS = {"curl/curl.h": "libcurl4-openssl-dev", "cjson/cJSON.h": "libcjson-dev"}
STEP = "installing the tools"


def install() -> None:
    """Installs the missing packages."""
    missing = _missing()
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BenchFailed(STEP, "only root can install packages with apt-get", f"install {' '.join(missing)}")
    log(f"Installing {' '.join(missing)} ...")
    FOLDER.mkdir(parents=True, exist_ok=True)
    _apt("update", "-qq")
    packages = [package for package in missing if package != "nginx"]
    if packages:
        _apt("install", "-y", "-qq", "--no-install-recommends", *packages)
    if "nginx" in missing:
        _unpack_nginx()
    missing = _missing()
    if missing:
        raise BenchFailed(STEP, "some are still missing after the installation", f"install {' '.join(missing)}")


def nginx() -> Optional[str]:
    """The path of nginx, or None."""
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:{FOLDER}/nginx/usr/sbin")


def _unpack_nginx() -> None:
    """Unpacks the package without installing it, because an installed nginx starts a public web server."""
    _apt("download", "-qq", "nginx")
    for package in FOLDER.glob("nginx_*.deb"):
        output(STEP, ["dpkg-deb", "--extract", str(package), str(FOLDER / "nginx")], "see the output of dpkg-deb")
        package.unlink()


def _apt(*arguments: str) -> None:
    advice = "see the output of apt-get; check the network and retry"
    output(STEP, ["apt-get", *arguments], advice, FOLDER, {"DEBIAN_FRONTEND": "noninteractive"})


def _missing() -> list[str]:
    """The packages that are missing."""
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    missing += [package for header, package in HEADERS.items() if not _has_header(header)]
    missing += [] if _has_ffi() else ["ruby-ffi"]
    return missing if nginx() else [*missing, "nginx"]


def _has_ffi() -> bool:
    """Whether Ruby has what the binding needs."""
    if not shutil.which("ruby"):
        return False
    return subprocess.run(["ruby", "-rffi", "-e", "0"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def _has_header(header: str) -> bool:
    if not shutil.which("cc"):
        return False
    command = ["cc", "-E", "-include", header, "-x", "c", os.devnull]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
