"""bindings/go: its own tests with the oldest and the newest Go, in every checking mode, and with real gateways.

`make test-go` sets GO_TESTS=all, for more modes and more repetitions.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.heads import LONG_REQUESTS
from faults.operations import LONG_PROMPT, PROMPT
from faults.responses import path_of
from faults.sites import Site, sites
from gateways.processes import Server
from support.builds import C99, NO_RETRIES, ROOT, SHARED, need
from support.go_test_programs import SETTINGS, TAGS, WITH_NEWEST, WITH_OLDEST, TestProgram
from support.go_toolchains import BINDING, LIBRARY, NEWEST, OLDEST, TOOLCHAINS, Toolchain
from support.real_gateways import RealGateway
from test_faults import TABLE, Cell

OPERATIONS = ("call", "send", "stream", "embed", "list", "raw", "queue-send", "queue-stream", "queue-embed")
"""Those of the fault matrix that bindings/go/faults_test.go performs."""

ALL_TESTS = os.environ.get("GO_TESTS") == "all"


class Mode(NamedTuple):
    """One run of the tests of the package."""

    name: str
    program: TestProgram
    environment: dict[str, str] = {}
    is_short: bool = False


MODES = [
    Mode("oldest, cgocheck", WITH_OLDEST, {"GODEBUG": "cgocheck=1"}),
    Mode("oldest, collecting garbage all the time", WITH_OLDEST, {"GOGC": "1"}, is_short=not ALL_TESTS),
    Mode("newest, cgocheck2 and race detector", WITH_NEWEST, is_short=not ALL_TESTS),
]
if ALL_TESTS:
    newest, oldest_race = TestProgram("newest Go", NEWEST), TestProgram("Go 1.19, race detector", OLDEST, ("-race",))
    MODES += [
        Mode("newest", newest),
        Mode("newest, collecting garbage all the time", newest, {"GOGC": "1"}),
        Mode("newest, race detector, collecting garbage all the time", WITH_NEWEST, {"GOGC": "1"}),
        Mode("oldest, race detector", oldest_race),
    ]


@pytest.mark.tool
@pytest.mark.parametrize("toolchain", TOOLCHAINS if ALL_TESTS else [NEWEST], ids=lambda toolchain: toolchain.name)
def test_vet_has_no_complaint(toolchain: Toolchain) -> None:
    toolchain.run("vet", "./...", **SETTINGS)


@pytest.mark.tool
@pytest.mark.parametrize("program", [WITH_OLDEST, WITH_NEWEST], ids=lambda program: program.name)
def test_tests_are_compiled(program: TestProgram) -> None:
    """The tests below then take seconds."""
    program.compile()


@pytest.mark.tool
def test_staticcheck_has_no_complaint() -> None:
    command = ["nice", need("go-staticcheck"), "-checks=all", f"-tags={TAGS}", "./..."]
    done = subprocess.run(command, cwd=BINDING, env=OLDEST.environment(LIBRARY), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.tool
def test_every_file_is_formatted() -> None:
    command = [str(OLDEST.go.with_name("gofmt")), "-l", str(BINDING), str(ROOT / "benches")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


@pytest.mark.alone
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_tests_of_the_package_pass(mode: Mode) -> None:
    mode.program.run(None, *(["-test.short"] if mode.is_short else []), **mode.environment)


def test_real_gateways_are_called(real_gateways: dict[str, RealGateway], tracking_server: RealGateway) -> None:
    urls = {f"GATEWAY_{version.replace('.', '_')}": gateway.url for version, gateway in real_gateways.items()}
    WITH_OLDEST.run("TestRealGateway", TRACKING_SERVER=tracking_server.url, **urls)


def test_real_language_model_is_called(smollm2: Server) -> None:
    WITH_OLDEST.run("TestRealLanguageModel", SMOLLM2=smollm2.url)


@pytest.mark.alone
def test_name_lookup_is_cancelled(tmp_path: Path) -> None:
    library = tmp_path / "slow_resolver.so"
    source = ROOT / "tests/c/slow_resolver.c"
    subprocess.run([*C99, "-shared", "-fPIC", str(source), "-o", str(library), "-ldl"], check=True)
    WITH_OLDEST.run("TestNameLookup", LD_PRELOAD=str(library))


@pytest.mark.alone
def test_every_fault_of_a_server_is_its_error(tmp_path: Path) -> None:
    """All faults of tests/test_faults.py, each in every operation."""
    with sites(tmp_path) as found:
        cells = [cell(row, operation, found[row.fault]) for row in TABLE for operation in OPERATIONS]
        assert len(cells) > 900
        file = tmp_path / "cells.json"
        file.write_text(json.dumps(cells))
        WITH_OLDEST.run("TestEveryFault", CELLS=str(file), **NO_RETRIES)


def cell(row: NamedTuple, operation: str, site: Site) -> dict:
    """What the Go program has to do, and what has to happen."""
    status, _, phrase = row.expected(operation).partition(": ")
    prefix = "handle-option "
    commands = Cell(row, operation).commands(site, SHARED)
    options = [command[len(prefix) :].split("=", 1) for command in commands if command.startswith(prefix)]
    is_long = row.fault in LONG_REQUESTS
    return {
        "Name": row.name, "Operation": operation, "URI": site.uri(operation), "Options": options,
        "Prompt": "x" if is_long else PROMPT, "PromptLength": len(LONG_PROMPT) if is_long else 1,
        "Path": path_of("raw"), "Status": status, "Phrase": phrase,
        "Text": "" if operation in ("embed", "list", "raw", "queue-embed") else row.text,
    }  # fmt: skip
