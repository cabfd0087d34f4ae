"""Host names with several addresses: which one is connected to, how soon, and what is said where none works."""

import contextlib
import json
import resource
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from asks import Outcome, ask, ask_all
from builds import SHARED
from chances import three_chances
from name_service import name_service
from scripted_gateway import ScriptedGateway, answering, echo, unreachable_port

pytestmark = pytest.mark.alone

QUIET = "handle-option max_retries=0"
NO_IDLE = "handle-option max_connections=0"
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"


@contextlib.contextmanager
def swallowing(port: int, host: str = ELSEWHERE) -> Iterator[None]:
    """Another address of this machine, on which packets to this port are lost: its queue is full, and stays so."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex((host, port))
        # A ninth one gets no answer: the queue is full.
        probe = stack.enter_context(socket.socket())
        probe.settimeout(0.2)
        with pytest.raises(TimeoutError):
            probe.connect((host, port))
        yield


@three_chances
def test_silent_first_address_costs_a_quarter_of_a_second_once(tmp_path: Path) -> None:
    with ScriptedGateway(answering(echo)) as gateway, swallowing(gateway.port):
        env = name_service(tmp_path, {"gateway.test": f"{ELSEWHERE} {HERE}"})
        uri = f"http://gateway.test:{gateway.port}"
        first, second = ask_all(uri, NO_IDLE, "prompt hi", "call a", "call b", env=env)
    assert (first.status, second.status) == ("OK", "OK"), (first, second)
    assert 240_000 <= first.took_us < 450_000, first.took_us
    assert second.took_us < 100_000, "the next connection begins with the address that worked"


@three_chances
def test_address_that_refuses_costs_nothing(tmp_path: Path) -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        env = name_service(tmp_path, {"gateway.test": f"{ELSEWHERE} 127.0.0.3 {HERE}"})
        outcome = ask(f"http://gateway.test:{gateway.port}", "call hi", env=env)
    assert outcome.status == "OK" and outcome.took_us < 100_000, outcome


class Conversation:
    """A program that makes calls while the test changes the world around it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def call(self, *commands: str) -> dict:
        """Gives commands, the last of which is a call, and returns what came of it."""
        self.process.stdin.write("".join(f"{command}\n" for command in commands).encode())
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@contextlib.contextmanager
def conversation(environment: Optional[dict[str, str]] = None) -> Iterator[Conversation]:
    with SHARED.start("asks.c", environment=environment, stdin=subprocess.PIPE) as process:
        yield Conversation(process)


def test_gateway_that_moved_is_looked_up_at_once(tmp_path: Path) -> None:
    """The name led to one address; then the gateway moves to another one."""
    with contextlib.ExitStack() as stack:
        old = ScriptedGateway(answering(echo))
        talk = stack.enter_context(conversation(name_service(tmp_path, {"gateway.test": HERE})))
        with old:
            first = talk.call("route r", f"uri http://gateway.test:{old.port}", QUIET, NO_IDLE, "call a")
        new = stack.enter_context(ScriptedGateway(answering(echo), host=ELSEWHERE, port=old.port))
        name_service(tmp_path, {"gateway.test": ELSEWHERE})
        second = talk.call("call b")
    assert (first["status"], second["status"], second["result"]) == ("OK", "OK", "echo: b"), (first, second)
    assert new.paths() == ["POST /endpoints/r/invocations"]


def failing(tmp_path: Path, addresses: str, port: int, *commands: str) -> Outcome:
    env = name_service(tmp_path, {"gateway.test": addresses})
    return ask(f"http://gateway.test:{port}", QUIET, *commands, "call hi", env=env)


def test_failure_names_the_address_that_says_most(tmp_path: Path) -> None:
    with unreachable_port() as port:
        # A multicast address cannot be connected to by TCP at all.
        outcome = failing(tmp_path, f"224.0.0.1 {ELSEWHERE} 127.0.0.3", port)
    assert outcome.status == "CONNECT_FAILED", outcome
    assert f"cannot connect ({ELSEWHERE}:{port}: Connection refused" in outcome.message, outcome.message
    assert "; 2 other addresses failed)" in outcome.message, outcome.message


def test_time_that_is_over_names_the_addresses_that_are_silent(tmp_path: Path) -> None:
    with unreachable_port() as port:
        outcome = failing(tmp_path, f"{HERE} {ELSEWHERE}", port, "handle-option connect_timeout_ms=400")
    assert outcome.status == "TIMEOUT", outcome
    assert f"timed out after 400 ms (connect_timeout_ms) while connecting to {HERE}:{port}" in outcome.message, outcome


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_lack_of_descriptors_is_said_to_be_it(host: str) -> None:
    with ScriptedGateway(answering(echo)) as gateway, conversation() as talk:
        talk.call("route r", f"uri http://{host}:{gateway.port}", QUIET, "identify")
        # Standard input, output and error are all that it may have. The C library reads files to look a name up.
        resource.prlimit(talk.process.pid, resource.RLIMIT_NOFILE, (3, 3))
        second = talk.call("call b")
    assert second["status"] in ("CONNECT_FAILED", "RESOLVE_FAILED"), second
    assert "Too many open files" in second["message"], second
