"""Describes the machine and the programs that a measurement is made with."""

import ctypes
import os
import platform
import re
import subprocess
from pathlib import Path

import peers
import tools

MLFLOW_VERSION = "import sys, mlflow.version; print(mlflow.version.VERSION, 'on Python', sys.version.split()[0])"


def describe() -> list[tuple[str, str]]:
    """What, and which."""
    return [
        ("processor", f"{_first(r'model name.*: (.*)', '/proc/cpuinfo')}, {os.cpu_count()} cores"),
        ("memory", _first(r"MemTotal: *(.*)", "/proc/meminfo")),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("system", _first(r'PRETTY_NAME="(.*)"', "/etc/os-release")),
        ("server", _says(str(tools.nginx()), "-v")),
        ("this library", _function(str(peers.LIBRARY), "mlflow_gateway_version")),
        ("libcurl", " ".join(_function("libcurl.so.4", "curl_version").split()[:2])),
        ("cJSON", _function("libcjson.so.1", "cJSON_Version")),
        ("Go", _says("go", "version")),
        ("Ruby", _says("ruby", "--version")),
        ("MLflow", _says(str(peers.mlflow_python()), "-c", MLFLOW_VERSION)),
        ("C compiler", _says("cc", "--version")),
    ]


def _first(pattern: str, file: str) -> str:
    """The first thing in a file that fits a pattern; not all processors say what they are."""
    found = re.search(pattern, Path(file).read_text(encoding="utf-8"))
    return found[1] if found else "unknown"


def _says(*command: str) -> str:
    """The first line that a program says of itself."""
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    return said.splitlines()[0]


def _function(library: str, name: str) -> str:
    """What a function of a shared library returns: the version that really runs."""
    function = getattr(ctypes.CDLL(library), name)
    function.restype = ctypes.c_char_p
    return function().decode()
