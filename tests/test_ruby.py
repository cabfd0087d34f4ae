"""The Ruby binding: its own tests with scripted gateways, the fault matrix, real gateways, its style and its types.

bindings/ruby/test has the tests in Ruby. `make test-ruby` runs them with more repetitions than `make test`.
"""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from faults.heads import LONG_REQUESTS
from faults.responses import EMBEDDING, ROUTE, path_of
from faults.sites import Site, sites
from support import commanded_gateway, load_gateway
from support.builds import RELEASE, ROOT, SHARED, clean_environment, need
from support.fast_gateway import FastGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    ScriptedGateway,
    echo_request,
    one_route,
    unreachable_port,
)
from support.scripted_model import model

from test_faults import LIMITS, TABLE, Cell, Row

RUBY = ROOT / "bindings/ruby"
LIBRARY = {"MLFLOW_AI_GATEWAY_LIB": str(RELEASE / "libmlflow_ai_gateway.so")}
SECONDS = 600

IS_LONG = "RUBY_LONG" in os.environ
REPETITIONS = {"INTERRUPTIONS": "10000" if IS_LONG else "300", "EXITS": "200" if IS_LONG else "10"}

SUITES = sorted(path.stem.removesuffix("_test") for path in (RUBY / "test").glob("*_test.rb"))


def run(*command: str, environment: Optional[dict[str, str]] = None, input: str = "") -> subprocess.CompletedProcess[str]:
    """Runs a program in the folder of the binding."""
    return subprocess.run(
        [need(command[0]), *command[1:]],
        input=input,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=RUBY,
        env=clean_environment({**LIBRARY, "LANG": "C.UTF-8", **(environment or {})}),
        timeout=SECONDS,
    )


@contextlib.contextmanager
def scripted_gateways() -> Iterator[dict[str, str]]:
    """Yields the variables of bindings/ruby/test/helper.rb."""
    with (
        commanded_gateway.gateway() as commanded,
        ScriptedGateway(one_route(echo_request, CHAT_ROUTE)) as echo,
        ScriptedGateway(one_route(model, CHAT_ROUTE)) as scripted_model,
        FastGateway().running() as fast,
        load_gateway.running(latency_us=300_000, slots=64) as slow,
        load_gateway.running(barrier=1000, events=10, interval_us=100_000) as streams,
        unreachable_port() as unreachable,
    ):
        yield {
            "COMMANDED_URL": commanded.url,
            "ECHO_URL": echo.url,
            "MODEL_URL": scripted_model.url,
            "FAST_URL": fast,
            "SLOW_URL": slow.url,
            "STREAMS_URL": streams.url,
            "UNREACHABLE_URL": f"http://{HOST}:{unreachable}",
        }


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite: str) -> None:
    with scripted_gateways() as gateways:
        done = run("ruby", "-w", "-Ilib", f"test/{suite}_test.rb", environment={**gateways, **REPETITIONS})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[1-9]\d* runs, \d+ assertions, 0 failures, 0 errors, 0 skips$", done.stdout, re.M), done.stdout
    assert done.stderr == ""


def test_style_is_that_of_rubocop() -> None:
    done = run("rubocop", "--cache", "false")
    assert done.returncode == 0, done.stdout + done.stderr


class Fault(NamedTuple):
    """One fault for one operation."""

    row: Row
    operation: str

    def command(self, site: Site) -> dict:
        is_long = self.row.fault in LONG_REQUESTS
        milliseconds = Cell(self.row, self.operation).milliseconds(SHARED)
        settings = [*(setting.removeprefix("handle-option ") for setting in site.settings), *self.row.settings]
        limits = {name: milliseconds for name in ("timeout_ms", "stream_timeout_ms")} | {name: 1 << 20 for name in LIMITS}
        return {
            "uri": site.uri(self.operation),
            "route": ROUTE,
            "options": limits | dict(setting.split("=", 1) for setting in settings),
            "operation": self.operation,
            "prompt": "long" if is_long else "short",
            "path": path_of("raw"),
        }

    def failure(self, result: dict) -> Optional[str]:
        """Returns how the result differs from the expected one."""
        status, _, phrase = self.row.expected(self.operation).partition(": ")
        name = "OK" if status == "OK" else f"MlflowGateway::{class_name(status)}"
        if (result["status"], phrase in result["message"]) != (name, True):
            return f"{self.row.name}, {self.operation}: expected {self.row.expected(self.operation)}, got {result}"
        if status == "OK" and result["value"] not in (self.row.text, [EMBEDDING], [ROUTE], [], None):
            return f"{self.row.name}, {self.operation}: wrong response {result['value']!r}"
        return None


def class_name(status: str) -> str:
    """The class of a status, for example TLSFailedError."""
    words = (word if word in ("HTTP", "TLS", "URI") else word.capitalize() for word in status.split("_"))
    return "".join(words).removesuffix("Error") + "Error"


def test_every_fault_arrives_as_the_error_of_its_status(tmp_path: Path) -> None:
    """Faults that a busy machine met too late are repeated."""
    faults = [Fault(row, operation) for row in TABLE for operation in ("call", "stream", "embed", "list", "raw")]
    failures: list[str] = []
    with sites(tmp_path) as found:
        for _ in range(3):
            lines = "".join(json.dumps(fault.command(found[fault.row.fault])) + "\n" for fault in faults)
            done = run("ruby", "-w", "-Ilib", "test/faults.rb", input=lines)
            assert (done.returncode, done.stderr) == (0, "")
            results = [json.loads(line) for line in done.stdout.splitlines()]
            failed = [(fault, failure) for fault, result in zip(faults, results) if (failure := fault.failure(result))]
            faults, failures = [fault for fault, _ in failed], [failure for _, failure in failed]
            if not faults:
                break
    assert failures == []
