"""A copy of a root file system of packaging/clean-root, in which a test installs packages and runs programs."""

import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from support.builds import ROOT, clean_environment

ROOTS = ROOT / "target/roots"

NOT_OF_A_PACKAGE = ("var/lib/dpkg/", "var/log/", "var/cache/", "etc/ld.so.cache", "project/")
"""Where dpkg, ldconfig and man-db keep what they know of all packages, and where tests build programs."""


def release_of_this_machine() -> str:
    """The code name of the Debian release, whose libraries the packages are built with."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.split("=")[1].strip('"') for line in lines if line.startswith("VERSION_CODENAME="))


class CleanRoot:
    """A root file system, in which commands are run by chroot. They share the network of this machine."""

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["cp", "--archive", "--reflink=auto", f"{ROOTS / name}/.", str(folder)], check=True)
        (folder / "project").mkdir()

    def __enter__(self) -> "CleanRoot":
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the copy, which is large."""
        shutil.rmtree(self.folder)

    def run(self, *command: str, environment: Optional[dict[str, str]] = None) -> subprocess.CompletedProcess[str]:
        """Runs a command as root, in /project."""
        words = ["chroot", str(self.folder), "env", "--chdir=/project", *command]
        variables = clean_environment({"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **(environment or {})})
        return subprocess.run(words, capture_output=True, text=True, timeout=300, env=variables)

    def output(self, *command: str, environment: Optional[dict[str, str]] = None) -> str:
        """Runs a command that must succeed and write nothing to stderr."""
        done = self.run(*command, environment=environment)
        assert (done.returncode, done.stderr) == (0, ""), (shlex.join(command), done.stdout, done.stderr)
        return done.stdout

    def shell(self, script: str) -> str:
        """Runs a shell script of commands that must all succeed and write nothing to stderr."""
        return self.output("sh", "-ec", script)

    def install(self, packages: Iterable[Path]) -> None:
        """Installs packages from files, with dpkg alone: it fails where a package that they need is missing."""
        for package in packages:
            shutil.copy(package, self.folder / "project")
        self.shell("dpkg --install *.deb && rm *.deb")

    def files(self) -> set[str]:
        """The paths of all files and links, except those that do not come from a package."""
        paths = (str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir())
        return {path for path in paths if not path.startswith(NOT_OF_A_PACKAGE)}
