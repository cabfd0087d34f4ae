"""The C and C++ code in README.md compiles."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-unused-parameter"]
COMPILER = ["gcc", "-std=c99", "-D_POSIX_C_SOURCE=200809L", *WARNINGS]

PRELUDE = """\
#include <mlflow_ai_gateway.h>
#include <signal.h>
#include <stdio.h>
mlflow_gateway *gateway;
mlflow_gateway_error *error;
mlflow_gateway_request *request;
mlflow_gateway_stream *stream;
const mlflow_gateway_event *event;
mlflow_gateway_status status;
"""
"""Declares what the fragments use."""


def program_of(block: str) -> str:
    """A whole program is compiled as it is. Of a fragment, lines that begin with `static` are outside of a function."""
    if "int main(" in block:
        return block
    lines = block.splitlines()
    outside = [line for line in lines if line.startswith("static ")]
    inside = [line for line in lines if not line.startswith("static ")]
    return "\n".join([PRELUDE, *outside, "void fragment(void);", "void fragment(void)", "{", *inside, "}", ""])


def test_c_blocks_compile(tmp_path: Path) -> None:
    blocks = re.findall(r"^```c\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    assert len(blocks) == 3
    for block in blocks:
        command = [*COMPILER, f"-I{ROOT / 'include'}", "-x", "c", "-", "-c", "-o", str(tmp_path / "program.o")]
        subprocess.run(command, input=program_of(block), text=True, check=True)


def test_cpp_blocks_compile(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```cpp\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    compiler = ["g++", "-std=c++17", *WARNINGS, f"-I{ROOT / 'include'}"]
    command = [*compiler, "-x", "c++", "-", "-c", "-o", str(tmp_path / "program.o")]
    subprocess.run(command, input=block, text=True, check=True)
