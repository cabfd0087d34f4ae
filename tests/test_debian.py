"""The Debian packages contain what `make install` installs. tests/packaging installs and uses them."""

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from support.builds import ROOT, clean_environment, need

SHARED = ROOT / "target/release/libmlflow_ai_gateway.so"


def build(folder: Path) -> dict[str, Path]:
    """Builds the packages, with a quick compression, and returns them by name."""
    quick = {"DPKG_DEB_COMPRESSOR_TYPE": "gzip", "DPKG_DEB_COMPRESSOR_LEVEL": "1"}
    command = ["sh", str(ROOT / "packaging/debian/build"), str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **quick})
    return {file.name.split("_")[0]: file for file in folder.glob("*.deb")}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("deb"))


def field(package: Path, name: str) -> str:
    command = [need("dpkg-deb"), "--field", str(package), name]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def files(package: Path, folder: Path) -> set[str]:
    """The paths of all files and links that the package installs."""
    subprocess.run([need("dpkg-deb"), "--extract", str(package), str(folder)], check=True)
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def of_debian(file: str) -> bool:
    """Whether Debian asks for a file of each package, beside what the package is for."""
    pattern = r"usr/share/doc/(lib)?mlflow-[^/]*/(copyright|changelog\.gz|changelog\.Debian\.gz)"
    return re.fullmatch(pattern, file) is not None


def test_the_packages_contain_what_is_installed(packages: dict[str, Path], tmp_path: Path) -> None:
    multiarch = subprocess.run(
        [need("dpkg-architecture"), "--query", "DEB_HOST_MULTIARCH"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    installed = tmp_path / "installed"
    variables = ["PREFIX=/usr", f"LIBDIR=/usr/lib/{multiarch}", f"DESTDIR={installed}"]
    subprocess.run(["make", "--silent", "install", *variables], cwd=ROOT, check=True, env=clean_environment())

    found = {name: files(package, tmp_path / name) for name, package in packages.items()}
    assert all(len(list(filter(of_debian, listed))) == 3 for listed in found.values())
    named = [name.removesuffix(".gz") for listed in found.values() for name in listed if not of_debian(name)]
    expected = {str(path.relative_to(installed)) for path in installed.rglob("*") if not path.is_dir()}
    documents = "usr/share/doc/mlflow-ai-gateway"
    expected -= {f"{documents}/{name}" for name in ("CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT")}
    assert sorted(named) == sorted(expected)

    libraries = f"usr/lib/{multiarch}"
    runtime = {name for name in found["libmlflow-ai-gateway0.2"] if not of_debian(name)}
    assert runtime == {f"{libraries}/libmlflow_ai_gateway.so.{version}" for version in ("0.2", "0.2.0")}
    batch = {name for name in found["mlflow-gateway-batch"] if not of_debian(name)}
    assert batch == {"usr/bin/mlflow-gateway-batch", "usr/share/man/man1/mlflow-gateway-batch.1.gz"}
    assert not [name for name in found["libmlflow-ai-gateway-doc"] if not name.startswith("usr/share/")]


def test_dependencies(packages: dict[str, Path]) -> None:
    symbols = subprocess.run([need("readelf"), "--dyn-syms", "-W", str(SHARED)], capture_output=True, text=True).stdout
    needed = max(re.findall(r"@GLIBC_([0-9.]+)", symbols), key=lambda version: list(map(int, version.split("."))))
    runtime = field(packages["libmlflow-ai-gateway0.2"], "Depends")
    assert f"libc6 (>= {needed})" in runtime.split(", ")
    assert {package.split()[0] for package in runtime.split(", ")} <= {"libc6", "libgcc-s1"}
    batch = field(packages["mlflow-gateway-batch"], "Depends")
    assert {package.split()[0] for package in batch.split(", ")} <= {"libc6", "libgcc-s1"}
    version = field(packages["libmlflow-ai-gateway0.2"], "Version")
    depends = field(packages["libmlflow-ai-gateway-dev"], "Depends").split(", ")
    assert depends[0] == f"libmlflow-ai-gateway0.2 (= {version})"
    assert field(packages["libmlflow-ai-gateway-doc"], "Architecture") == "all"


def test_the_copyright_file_lists_every_package_in_the_library(packages: dict[str, Path], tmp_path: Path) -> None:
    files(packages["libmlflow-ai-gateway0.2"], tmp_path)
    text = (tmp_path / "usr/share/doc/libmlflow-ai-gateway0.2/copyright").read_text()
    command = ["cargo", "tree", "--locked", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"]
    tree = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    linked = set(re.findall(r"^(\S+) v(\S+)", tree, re.M)) - {("mlflow-ai-gateway", "0.2.0")}
    assert len(linked) > 15
    assert linked <= set(re.findall(r"^(\S+) (\S+) \(.*\)\n-+\n", text, re.M))


def test_the_same_libraries_give_the_same_packages(packages: dict[str, Path], tmp_path: Path) -> None:
    time.sleep(1.1)  # files get another time
    umask = os.umask(0o077)
    try:
        again = build(tmp_path / "again")
    finally:
        os.umask(umask)
    for name, package in packages.items():
        assert hashlib.sha256(again[name].read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest(), name
