"""Bad arguments: a status each, no crash, no leak; and the tools that look for leaks do find them."""


import pytest
from builds import ADDRESS, ADDRESS_LIBRARY, ALL, CHECKED, TOOL_FOUND_SOMETHING, Build, need
from scripted_gateway import refused_port
import subprocess


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_function_with_bad_arguments(build: Build) -> None:
    with refused_port() as port:
        done = build.run("test_arguments.c", f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
@pytest.mark.parametrize("fault", ["leak", "freed twice"])
def test_the_tools_find_faults(build: Build, fault: str) -> None:
    """A check that cannot fail is none: these programs misuse the library, and the tool must say so."""
    done = build.run("misuse.c", fault)
    assert done.returncode == TOOL_FOUND_SOMETHING, done.stderr
    assert "mlflow_gateway" in done.stderr or "libmlflow_ai_gateway" in done.stderr


def test_the_sanitizer_is_in_the_library() -> None:
    """The Rust code itself must be instrumented, not only the C program around it."""
    need("nm")
    symbols = subprocess.run(["nm", str(ADDRESS_LIBRARY)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    members = symbols.stdout.split("\n\n")
    ours = [member for member in members if "mlflow_gateway_call" in member]
    assert any("U __asan_report_load8" in member for member in ours)
    program = ADDRESS.compile("test_version.c")
    linked = subprocess.run(["nm", str(program)], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "__asan_init" in linked
