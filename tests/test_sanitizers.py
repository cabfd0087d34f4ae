"""The tools under which tests run are active, and find faults of their kind."""

import subprocess
from pathlib import Path

import pytest
from support.builds import (
    ADDRESS,
    ADDRESS_LIBRARY,
    SHARED,
    THREAD,
    THREAD_LIBRARY,
    TOOL_FOUND_SOMETHING,
    UNDEFINED,
    VALGRIND,
    Build,
    need,
)

TOOLS = (VALGRIND, ADDRESS, THREAD, UNDEFINED)
FOUND = [
    (VALGRIND, "leak", "definitely lost"),
    (VALGRIND, "freed twice", "Invalid free()"),
    (VALGRIND, "read after free", "Invalid read of size 1"),
    (ADDRESS, "leak", "detected memory leaks"),
    (ADDRESS, "freed twice", "attempting double-free"),
    (ADDRESS, "read after free", "heap-use-after-free"),
    (THREAD, "race", "data race"),
    (UNDEFINED, "overflow", "signed integer overflow"),
]


@pytest.mark.parametrize("build,fault,phrase", FOUND, ids=lambda value: getattr(value, "name", value))
def test_each_tool_finds_a_fault_of_its_kind(build: Build, fault: str, phrase: str) -> None:
    done = build.run("misuse.c", fault)
    assert done.returncode == TOOL_FOUND_SOMETHING, done.stderr
    assert phrase in done.stderr
    if build != UNDEFINED:
        assert "mlflow_gateway" in done.stderr, "the library is in the report"


@pytest.mark.parametrize("fault", ["leak", "race", "overflow"])
def test_faulty_program_succeeds_without_a_tool(fault: str) -> None:
    """So the tool is what makes the program fail."""
    assert SHARED.run("misuse.c", fault).returncode == 0


@pytest.mark.parametrize("build", TOOLS, ids=lambda build: build.name)
def test_correct_program_succeeds_under_each_tool(build: Build) -> None:
    done = build.run("test_version.c")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.tool
@pytest.mark.parametrize(
    "library,symbol,runtime",
    [
        (ADDRESS_LIBRARY, "__asan_report_load8", "__asan_init"),
        (THREAD_LIBRARY, "__tsan_func_entry", "__tsan_init"),
    ],
    ids=["address", "thread"],
)
def test_library_code_is_instrumented(library: Path, symbol: str, runtime: str) -> None:
    """The Rust code itself must be instrumented, not only the C program around it."""
    members = symbols(library).split("\n\n")
    ours = [member for member in members if "mlflow_gateway_call" in member]
    assert any(f"U {symbol}\n" in member for member in ours)
    build = ADDRESS if library == ADDRESS_LIBRARY else THREAD
    assert runtime in symbols(build.compile("test_version.c"))


def symbols(file: Path) -> str:
    need("nm")
    done = subprocess.run(["nm", str(file)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return done.stdout
