"""Host names with several addresses: the order of connections, their timing, and the error if all fail."""

import contextlib
import json
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from support.builds import SHARED
from support.name_service import name_service
from support.operations import Outcome, perform, perform_all
from support.scripted_gateway import ScriptedGateway, echo, one_route, unreachable_port
from support.timing import three_attempts

pytestmark = pytest.mark.alone

QUIET = "handle-option max_retries=0"
NO_IDLE = "handle-option max_connections=0"
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"


@contextlib.contextmanager
def silent_address(port: int, host: str = ELSEWHERE) -> Iterator[None]:
    """A local address on which connections to this port time out, because the accept queue stays full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((host, port))
        # The queue is full if a ninth connection times out.
        probe = stack.enter_context(socket.socket())
        probe.settimeout(0.2)
        with pytest.raises(TimeoutError):
            probe.connect((host, port))
        yield


@three_attempts
def test_silent_first_address_delays_only_the_first_connection_by_250_ms(tmp_path: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway, silent_address(gateway.port):
        env = name_service(tmp_path, {"gateway.test": f"{ELSEWHERE} {HERE}"})
        uri = f"http://gateway.test:{gateway.port}"
        first, second = perform_all(uri, NO_IDLE, "prompt hi", "call a", "call b", env=env)
    assert (first.status, second.status) == ("OK", "OK"), (first, second)
    assert 240_000 <= first.took_us < 450_000, first.took_us
    assert second.took_us < 100_000, "the next connection starts with the address that worked"


@three_attempts
def test_refusing_address_costs_no_time(tmp_path: Path) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        env = name_service(tmp_path, {"gateway.test": f"{ELSEWHERE} 127.0.0.3 {HERE}"})
        outcome = perform(f"http://gateway.test:{gateway.port}", "call hi", env=env)
    assert outcome.status == "OK" and outcome.took_us < 100_000, outcome


class RunningProgram:
    """A running program that makes calls while the test changes servers and host names."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def call(self, *commands: str) -> dict:
        """Sends commands, the last of which is a call, and returns its outcome."""
        self.process.stdin.write("".join(f"{command}\n" for command in commands).encode())
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def running_program(environment: Optional[dict[str, str]] = None) -> Iterator[RunningProgram]:
    with SHARED.start("operations.c", environment=environment, stdin=subprocess.PIPE) as process:
        yield RunningProgram(process)


def test_moved_gateway_is_resolved_again_within_the_same_call(tmp_path: Path) -> None:
    """The host name first resolves to one address, then to another."""
    with contextlib.ExitStack() as stack:
        old = ScriptedGateway(one_route(echo))
        program = stack.enter_context(running_program(name_service(tmp_path, {"gateway.test": HERE})))
        with old:
            first = program.call("route r", f"uri http://gateway.test:{old.port}", QUIET, NO_IDLE, "call a")
        new = stack.enter_context(ScriptedGateway(one_route(echo), host=ELSEWHERE, port=old.port))
        name_service(tmp_path, {"gateway.test": ELSEWHERE})
        second = program.call("call b")
    assert (first["status"], second["status"], second["result"]) == ("OK", "OK", "echo: b"), (first, second)
    assert new.paths() == ["POST /endpoints/r/invocations"]


def failing(tmp_path: Path, addresses: str, port: int, *commands: str) -> Outcome:
    env = name_service(tmp_path, {"gateway.test": addresses})
    return perform(f"http://gateway.test:{port}", QUIET, *commands, "call hi", env=env)


def test_connect_error_names_the_most_informative_address(tmp_path: Path) -> None:
    with unreachable_port() as port:
        # A multicast address cannot be connected to by TCP at all.
        outcome = failing(tmp_path, f"224.0.0.1 {ELSEWHERE} 127.0.0.3", port)
    assert outcome.status == "CONNECT_FAILED", outcome
    assert f"cannot connect ({ELSEWHERE}:{port}: Connection refused" in outcome.message, outcome.message
    assert "; 2 other addresses failed)" in outcome.message, outcome.message


@three_attempts
def test_connect_timeout_names_a_silent_address(tmp_path: Path) -> None:
    with unreachable_port() as port:
        outcome = failing(tmp_path, f"{HERE} {ELSEWHERE}", port, "handle-option connect_timeout_ms=400")
    assert outcome.status == "TIMEOUT", outcome
    assert f"timed out after 400 ms (connect_timeout_ms) while connecting to {HERE}:{port}" in outcome.message, outcome


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_error_reports_that_the_process_has_no_descriptors_left(host: str) -> None:
    with ScriptedGateway(one_route(echo)) as gateway, running_program() as program:
        program.call("route r", f"uri http://{host}:{gateway.port}", QUIET, "identify")
        # Only standard input, output and error stay open. The C library opens files to resolve a host name.
        resource.prlimit(program.process.pid, resource.RLIMIT_NOFILE, (3, 3))
        second = program.call("call b")
    assert second["status"] in ("CONNECT_FAILED", "RESOLVE_FAILED"), second
    assert "Too many open files" in second["message"], second
