"""The shared library as a package contains it: exports, SONAME, dependencies, symbols."""

import re
import subprocess

import pytest
from support.builds import ALL, INCLUDE, RELEASE, SHARED, Build, clean_environment, need

LIBRARY = RELEASE / "libmlflow_ai_gateway.so"
HEADER = (INCLUDE / "mlflow_ai_gateway.h").read_text()

ALLOWED_LIBRARIES = {"libc.so.6", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libdl.so.2"}


def output(*command: str) -> str:
    need(command[0])
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=clean_environment()).stdout


def test_soname_and_dependencies_are_as_documented() -> None:
    dynamic = output("readelf", "-d", str(LIBRARY))
    assert re.search(r"SONAME.*\[libmlflow_ai_gateway\.so\.0\.2\]", dynamic)
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", dynamic))
    assert {name for name in needed if not name.startswith("ld-linux")} <= ALLOWED_LIBRARIES


def test_program_links_to_the_soname() -> None:
    assert "[libmlflow_ai_gateway.so.0.2]" in output("readelf", "-d", str(SHARED.compile("test_version.c")))


def test_library_is_small() -> None:
    """Without optimization across packages it would have 2.66 MB."""
    assert LIBRARY.stat().st_size < 2_600_000


def test_symbols_are_stripped() -> None:
    assert ".symtab" not in output("readelf", "-S", "-W", str(LIBRARY))


def test_library_needs_no_executable_stack_and_no_text_relocation() -> None:
    segments = output("readelf", "-l", "-W", str(LIBRARY))
    assert re.search(r"GNU_STACK.*\bRW\b", segments) and not re.search(r"GNU_STACK.*\bRWE\b", segments)
    assert "TEXTREL" not in output("readelf", "-d", str(LIBRARY))


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_status_has_its_name_and_number(build: Build) -> None:
    done = build.run("test_version.c")
    assert done.returncode == 0, done.stderr
    named = dict(line.split() for line in done.stdout.splitlines() if line.split()[0] != "MLFLOW_GATEWAY_UNKNOWN")
    in_header = dict(re.findall(r"#define (MLFLOW_GATEWAY_(?!VERSION|AT_LEAST|LOG_|JSON_|EVENT_|TOKENS_|TIME_|SUBMIT_|QUEUE_COUNT_|COMPLETION_)\w+) (\d+)\n", HEADER))
    assert len(in_header) > 25
    assert named == in_header
