"""Describes the machine and the versions of the programs."""

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
    """Pairs of a component and its version."""
    return [
        ("processor", f"{_first(r'model name.*: (.*)', '/proc/cpuinfo')}, {os.cpu_count()} cores"),
        ("memory", _first(r"MemTotal: *(.*)", "/proc/meminfo")),
        ("kernel", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("system", _first(r'PRETTY_NAME="(.*)"', "/etc/os-release")),
        ("server", _version_line(str(tools.nginx()), "-v")),
        ("this library", _version_function(str(peers.LIBRARY), "mlflow_gateway_version")),
        ("libcurl", " ".join(_version_function("libcurl.so.4", "curl_version").split()[:2])),
        ("cJSON", _version_function("libcjson.so.1", "cJSON_Version")),
        ("Go", _version_line("go", "version")),
        ("Ruby", _version_line("ruby", "--version")),
        ("MLflow", _version_line(str(peers.mlflow_python()), "-c", MLFLOW_VERSION)),
        ("C compiler", _version_line("cc", "--version")),
    ]


def _first(pattern: str, file: str) -> str:
    """The first match of a pattern in a file. Some processors have no model name."""
    found = re.search(pattern, Path(file).read_text(encoding="utf-8"))
    return found[1] if found else "unknown"


def _version_line(*command: str) -> str:
    """The first line that a program prints about its version."""
    output = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    return output.splitlines()[0]


def _version_function(library: str, name: str) -> str:
    """The result of a version function of a shared library: the version in use."""
    function = getattr(ctypes.CDLL(library), name)
    function.restype = ctypes.c_char_p
    return function().decode()
