"""The ways in which a program finds an installed library. Each takes the prefix, builds a program and returns it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Optional

from support.builds import ROOT, clean_environment, need

MINIMAL = ROOT / "examples-c/minimal.c"
Consumer = Callable[..., Path]

CMAKE_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(mlflow_ai_gateway 0.2 REQUIRED)
add_executable(app {source})
target_link_libraries(app mlflow_ai_gateway::{target})
"""


def pkg_config(prefix: Path, *arguments: str, libraries: Optional[Path] = None) -> list[str]:
    """What pkg-config prints for the library installed below the prefix."""
    folder = (libraries or prefix / "lib") / "pkgconfig"
    environment = clean_environment({"PKG_CONFIG_LIBDIR": str(folder)})
    command = [need("pkg-config"), *arguments, "mlflow_ai_gateway"]
    words = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
    return [word.replace("\0", " ") for word in words.replace("\\ ", "\0").split()]


def pkg_config_shared(prefix: Path, folder: Path, libraries: Optional[Path] = None) -> Path:
    found = pkg_config(prefix, "--cflags", "--libs", libraries=libraries)
    libdir = pkg_config(prefix, "--variable=libdir", libraries=libraries)[0]
    return _compile(folder, [*found, f"-Wl,-rpath,{libdir}"], is_shared=True)


def pkg_config_static(prefix: Path, folder: Path, libraries: Optional[Path] = None) -> Path:
    found = pkg_config(prefix, "--static", "--cflags", "--libs", libraries=libraries)
    words = ["-l:libmlflow_ai_gateway.a" if word == "-lmlflow_ai_gateway" else word for word in found]
    return _compile(folder, words, is_shared=False)


def cmake_shared(prefix: Path, folder: Path, libraries: Optional[Path] = None) -> Path:
    return cmake(CMAKE_PROJECT, "mlflow_ai_gateway", folder, [f"-DCMAKE_PREFIX_PATH={prefix}"])


def cmake_static(prefix: Path, folder: Path, libraries: Optional[Path] = None) -> Path:
    return cmake(CMAKE_PROJECT, "static", folder, [f"-DCMAKE_PREFIX_PATH={prefix}"])


CONSUMERS = (pkg_config_shared, pkg_config_static, cmake_shared, cmake_static)


def cmake(project: str, target: str, folder: Path, options: list[str]) -> Path:
    """Builds the program with a CMake project, which has places for the source file and the target."""
    folder.mkdir(exist_ok=True)
    (folder / "CMakeLists.txt").write_text(project.replace("{source}", str(MINIMAL)).replace("{target}", target))
    build = folder / "build"
    for command in (["-S", str(folder), "-B", str(build), *options], ["--build", str(build)]):
        done = subprocess.run([need("cmake"), *command], capture_output=True, text=True, env=clean_environment())
        assert done.returncode == 0, done.stdout + done.stderr
    return _linked(build / "app", is_shared=target != "static")


def output_of(program: Path, url: str) -> str:
    """Runs the program with a gateway, and returns what it printed."""
    environment = clean_environment({"MLFLOW_GATEWAY_URI": url})
    done = subprocess.run([str(program)], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _compile(folder: Path, words: list[str], is_shared: bool) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / "app"
    subprocess.run(["cc", str(MINIMAL), *words, "-o", str(program)], check=True)
    return _linked(program, is_shared)


def _linked(program: Path, is_shared: bool) -> Path:
    """Makes sure that the program uses the library that it should."""
    dynamic = subprocess.run([need("readelf"), "-d", os.fspath(program)], capture_output=True, text=True).stdout
    assert ("libmlflow_ai_gateway.so" in dynamic) == is_shared
    return program
