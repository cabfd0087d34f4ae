"""Cancelled calls return at once in every phase, and the error message names the phase."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from faults.responses import ROUTE, TEXT, valid_response, path_of
from faults.heads import LONG_REQUESTS, stall_without_reading
from faults.operations import LONG_PROMPT, OPERATION_COMMANDS, PROMPT
from faults.peer import Peer
from faults.server import FaultServer
from faults.sites import Site, sites
from support.builds import ADDRESS, C99, CHECKED, EMULATED, ROOT, SHARED, THREAD, VALGRIND, Build
from support.operations import Descriptors, Outcome, perform_all, run_commands
from support.queue_program import queue_program
from support.timing import three_attempts

CANCEL_COMMANDS = ("cancel-after", "cancel-by-signal")
"""Cancel from another thread, and from a signal handler on the calling thread."""
MILLISECONDS_BEFORE = {
    SHARED.name: (100, 500, 2_000),
    ADDRESS.name: (500, 2_000),
    VALGRIND.name: (1_000, 4_000),
    THREAD.name: (500, 2_000),
}
"""Time before the cancellation, in which the call must reach the phase. Later values are retries on a slow machine."""
BEFORE = MILLISECONDS_BEFORE[SHARED.name][0]
MAX_MS = {SHARED.name: 1_000 if EMULATED else 20, ADDRESS.name: 1_000, VALGRIND.name: 4_000, THREAD.name: 1_000}
"""Milliseconds in which a cancelled call must return. The limits for builds under a tool are loose."""

ALL = tuple(OPERATION_COMMANDS)
STREAMS = ("stream", "callback", "queue-stream")
OTHERS = ("queue-send", "queue-embed", "call", "send", "embed", "raw", "list")
SLOW_NAME = "http://gateway.slow"


class Phase(NamedTuple):
    """A phase of a call, and the fault that makes the call hang in it."""

    doing: str
    fault: str
    operations: Sequence[str] = ALL
    options: Sequence[str] = ()
    is_first: bool = False
    """Whether discovery already hangs, if the operation needs it."""


PHASES = (
    Phase("while connecting", "connection not accepted, http", is_first=True),
    Phase("while connecting through the proxy", "proxy: connection not accepted, https", is_first=True),
    Phase("while connecting through the proxy", "proxy: stalls, https", is_first=True),
    Phase("during the TLS handshake", "TLS: stalls before the handshake", is_first=True),
    Phase("during the TLS handshake", "TLS: stalls in the handshake", is_first=True),
    Phase("during the TLS handshake", "tunnel: stalls, https", is_first=True),
    Phase("while waiting for the response", "proxy: stalls, http", is_first=True),
    Phase("while waiting for the response", "discovery: stalls without a response", OTHERS[:-2] + STREAMS, is_first=True),
    Phase("while sending the request", "responds without reading the request body", OTHERS[:-1] + STREAMS),
    Phase("while waiting for the response", "stalls without reading the request"),
    Phase("while waiting for the response", "stalls without a response"),
    Phase("while reading the response", "stalls in the head"),
    Phase("while reading the response", "stalls after an interim response"),
    Phase("while reading the response", "stalls in the body", OTHERS),
    Phase("while reading the response", "stalls between chunks", OTHERS),
    Phase("while reading the response", "TLS: stalls in the body", OTHERS),
    Phase("while reading the response", "status 503 and stalls in the body"),
    Phase("while waiting for the next event", "stalls before the first event", STREAMS),
    Phase("while waiting for the next event", "stalls between events", STREAMS),
    Phase("while waiting for the next event", "TLS: stalls in the body", STREAMS),
    Phase("while waiting to retry", "status 503 with Retry-After 30", options=("max_retries=3",)),
    # A call that never has to wait checks for cancellation, too.
    Phase("while waiting for the next event", "flood of comments", STREAMS),
)


class Cell(NamedTuple):
    """One operation in one phase, and how it is cancelled."""

    phase: Phase
    operation: str
    cancel_command: str

    def commands(self, site: Site, before: int) -> Iterator[str]:
        prompt = LONG_PROMPT if self.phase.fault in LONG_REQUESTS else PROMPT
        yield f"uri {site.uri(self.operation)}"
        yield from site.settings
        yield from (f"handle-option {option}" for option in self.phase.options)
        # The commands cancel the token that was set last: the request's token or the handle's.
        uses_request_token = self.cancel_command == CANCEL_COMMANDS[0] and self.operation not in ("call", "list")
        both = ("token", "request-token") if uses_request_token else ("request-token", "token")
        yield from ("again", *both, f"{self.cancel_command} {before}")
        yield from (command.format(prompt) for command in OPERATION_COMMANDS[self.operation])
        yield "close"

    def endpoint(self, site: Site) -> str:
        """Returns the method and URL at the start of the message."""
        uri = site.uri(self.operation)
        if self.operation in ("list", "raw") or not self.phase.is_first:
            return f"{'GET' if self.operation == 'list' else 'POST'} {uri}{path_of(self.operation)}"
        return f"GET {uri}/api/2.0/endpoints/{ROUTE}"


class CellResult(NamedTuple):
    """The result of a cell."""

    outcome: Outcome
    descriptors: Descriptors


Sites = dict[str, Site]


@pytest.fixture(scope="module")
def fault_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with sites(tmp_path_factory.mktemp("faults")) as found:
        yield found


def cancel_cells(fault_sites: Sites, cells: Sequence[Cell], build: Build) -> dict[Cell, CellResult]:
    """Runs the cells one after another. On a busy machine a call may be late or may not have reached its phase: such a
    cell is repeated with more time before the cancellation."""
    results: dict[Cell, CellResult] = {}
    for before in MILLISECONDS_BEFORE[build.name]:
        pending = [
            cell for cell in cells if cell not in results or not is_correct(cell, results[cell], fault_sites, build)
        ]
        commands = (command for cell in pending for command in cell.commands(fault_sites[cell.phase.fault], before))
        lines = run_commands(f"route {ROUTE}", *commands, build=build)
        results.update({cell: CellResult(*pair) for cell, *pair in zip(pending, lines[::2], lines[1::2])})
    return results


def is_correct(cell: Cell, result: CellResult, fault_sites: Sites, build: Build) -> bool:
    return result.outcome.message == message(cell, fault_sites) and is_immediate(result.outcome, build)


def message(cell: Cell, fault_sites: Sites) -> str:
    return f"{cell.endpoint(fault_sites[cell.phase.fault])}: cancelled {cell.phase.doing}"


def is_immediate(outcome: Outcome, build: Build) -> bool:
    return 0 <= outcome.cancelled_us <= MAX_MS[build.name] * 1000


def check(cell: Cell, result: CellResult, fault_sites: Sites, build: Build) -> None:
    outcome, descriptors = result
    context = f"{cell.phase.fault}; {cell.operation}, {cell.cancel_command}, {build.name}: {outcome!r}"
    assert (outcome.status, outcome.message) == ("CANCELLED", message(cell, fault_sites)), context
    assert is_immediate(outcome, build), f"{context}; at most {MAX_MS[build.name]} ms are allowed"
    assert outcome.took_us > MILLISECONDS_BEFORE[build.name][0] * 900, context
    assert descriptors.before == descriptors.after, f"{context}; {descriptors}"


@pytest.mark.alone
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.fault)
def test_call_is_cancelled_in_every_phase(fault_sites: Sites, phase: Phase) -> None:
    cells = [
        Cell(phase, operation, cancel_command)
        for operation in phase.operations
        for cancel_command in (CANCEL_COMMANDS[:1] if operation.startswith("queue-") else CANCEL_COMMANDS)
    ]
    for cell, result in cancel_cells(fault_sites, cells, SHARED).items():
        check(cell, result, fault_sites, SHARED)


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_cancellation_in_each_phase_is_memory_safe(fault_sites: Sites, build: Build) -> None:
    """Runs each phase once, except TLS (other valgrind options) and uploads of several MB (slow)."""
    phases = [phase for phase in PHASES if "TLS" not in phase.doing + phase.fault and phase.fault not in LONG_REQUESTS]
    cells = [
        Cell(phase, phase.operations[number % len(phase.operations)], CANCEL_COMMANDS[number % len(CANCEL_COMMANDS)])
        for number, phase in enumerate(phases)
    ]
    for cell, result in cancel_cells(fault_sites, cells, build).items():
        check(cell, result, fault_sites, build)


@pytest.fixture(scope="module")
def slow_names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which resolving SLOW_NAME takes long."""
    library = tmp_path_factory.mktemp("names") / "slow_resolver.so"
    source = ROOT / "tests" / "c" / "slow_resolver.c"
    subprocess.run([*C99, "-shared", "-fPIC", str(source), "-o", str(library), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


@pytest.mark.alone
@pytest.mark.parametrize("cancel_command", CANCEL_COMMANDS)
@pytest.mark.parametrize("operation", ALL)
@three_attempts
def test_name_lookup_is_cancelled(slow_names: dict[str, str], operation: str, cancel_command: str) -> None:
    commands = (command.format(PROMPT) for command in OPERATION_COMMANDS[operation])
    (outcome,) = perform_all(SLOW_NAME, "token", f"{cancel_command} {BEFORE}", *commands, env=slow_names)
    assert outcome.status == "CANCELLED" and "cancelled while resolving the host name" in outcome.message, outcome
    assert is_immediate(outcome, SHARED), outcome


@three_attempts
def test_queue_is_destroyed_during_a_name_lookup(slow_names: dict[str, str]) -> None:
    with queue_program(SLOW_NAME, env=slow_names) as program:
        for tag in range(20):
            program.submit_prompt("send", tag, "hi")
        time.sleep(0.1)
        took_us, _ = program.destroy()
        assert took_us < 1_500_000, "a lookup takes three seconds"


class Ended(NamedTuple):
    """How the call of one thread ended."""

    status: str
    us: int
    message: str


def cancel_threads(uri: str, threads: int, *arguments: str, build: Build = SHARED) -> list[Ended]:
    before = MILLISECONDS_BEFORE[build.name][1]
    done = build.run("test_cancel_threads.c", uri, ROUTE, str(threads), str(before), *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = (line.split("\t") for line in done.stdout.splitlines())
    return [Ended(status, int(us), message) for status, us, message in lines]


@pytest.mark.alone
@pytest.mark.parametrize("build", (SHARED, *CHECKED, THREAD), ids=lambda build: build.name)
@three_attempts
def test_one_token_cancels_many_calls(fault_sites: Sites, build: Build) -> None:
    """A list request uses another path, and so meets no fault."""
    uri = fault_sites["stalls without a response"].uri("stream")
    ended = cancel_threads(uri, 20, build=build)
    stalled = [one for number, one in enumerate(ended) if number % 5 != 4]
    assert len(ended) == 20 and {one.status for one in stalled} == {"CANCELLED"}, ended
    assert all("cancelled while waiting for the response" in one.message for one in stalled), ended
    assert all(one.us < MAX_MS[build.name] * 1000 for one in stalled), ended


@pytest.mark.alone
@three_attempts
def test_call_waiting_for_the_discovery_of_another_thread_is_cancelled(fault_sites: Sites) -> None:
    uri = fault_sites["discovery: stalls without a response"].uri("call")
    ended = cancel_threads(uri, 8, "after-one")
    assert [one.status for one in ended] == ["CANCELLED"] * 8, ended
    assert ended[0].message == f"GET {uri}/api/2.0/endpoints/{ROUTE}: cancelled while waiting for the response", ended
    assert all("cancelled while waiting for another thread's request" in one.message for one in ended[1:]), ended
    assert all(one.us < MAX_MS[SHARED.name] * 1000 for one in ended), ended


def respond_late(peer: Peer, operation: str) -> None:
    """Responds long after the token was destroyed."""
    peer.read_request()
    time.sleep(0.3)
    peer.send(valid_response(operation))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer({"late": respond_late, "never": stall_without_reading}) as running:
        yield running


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_nothing_is_sent_if_the_token_is_already_cancelled(server: FaultServer, build: Build) -> None:
    commands = [command.format(PROMPT) for operation in ALL for command in ("again", *OPERATION_COMMANDS[operation])]
    others = ("get-route", "health", "get-limits", "set-limits r=[]", 'create-route {"name":"x"}', "delete-route r")
    for outcome in perform_all(server.url("none", "call"), "token", "cancel", *commands, *others, build=build):
        assert outcome.status == "CANCELLED", outcome
        assert (outcome.error_attempts, outcome.cancelled_us) == (0, -1), outcome
    assert server.connections == 0


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@pytest.mark.parametrize("operation", ALL)
def test_token_can_be_cancelled_and_reset_repeatedly(server: FaultServer, build: Build, operation: str) -> None:
    commands = [command.format(PROMPT) for command in OPERATION_COMMANDS[operation]]
    again = commands[-1]
    commands += ["cancel", again, "reset-token", again, "cancel", again]
    outcomes = perform_all(server.url("none", operation), "token", *commands, build=build)
    statuses = [outcome.status.replace("STREAM_END", "OK") for outcome in outcomes]
    assert statuses == ["OK", "CANCELLED", "OK", "CANCELLED"], outcomes


def test_reset_token_cancels_a_waiting_call(server: FaultServer) -> None:
    """A call that must wait is cancelled, too."""
    uri = server.url("late", "send")
    reset = perform_all(uri, "token", "cancel", "reset-token", "prompt hi", "send", "cancel-after 100", "send")
    assert [outcome.status for outcome in reset] == ["OK", "CANCELLED"], reset


def test_tokens_of_handle_and_request_both_cancel_a_call(server: FaultServer) -> None:
    def statuses(*commands: str) -> list[str]:
        return [outcome.status for outcome in perform_all(server.url("none", "send"), "prompt hi", *commands)]

    assert statuses("token", "cancel", "request-token", "send") == ["CANCELLED"]
    assert statuses("request-token", "cancel", "token", "send") == ["CANCELLED"]
    both = statuses("token", "request-token", "send", "cancel", "send", "no-request-token", "send")
    assert both == ["OK", "CANCELLED", "OK"]
    assert statuses("token", "cancel", "request-token", "no-request-token", "send") == ["CANCELLED"]
    assert statuses("request-token", "cancel", "send", "no-request-token", "send") == ["CANCELLED", "OK"]
    assert statuses("token", "cancel", "send", "no-token", "send") == ["CANCELLED", "OK"]
    assert statuses("request-token", "cancel", "call hi", "again", "prompt hi", "send") == ["OK", "OK"]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@pytest.mark.parametrize("command", ["token", "request-token"])
@three_attempts
def test_token_may_be_destroyed_during_a_call(server: FaultServer, build: Build, command: str) -> None:
    def send_with(fault: str, *commands: str) -> CellResult:
        uri = server.url(fault, "send")
        result = run_commands(
            f"route {ROUTE}", f"uri {uri}", "prompt hi", command, *commands, "send", "close", build=build
        )
        return CellResult(*result)

    for commands in (["destroy-token"], ["destroy-token-after 100"]):
        outcome, descriptors = send_with("late", *commands)
        assert outcome.response and outcome.response.texts == [TEXT], outcome
        assert descriptors.before == descriptors.after
    before = MILLISECONDS_BEFORE[build.name][0]
    outcome, descriptors = send_with("never", f"cancel-after {before}", f"destroy-token-after {before}")
    assert outcome.status == "CANCELLED" and is_immediate(outcome, build), outcome
    assert descriptors.before == descriptors.after
    outcome, descriptors = send_with("never", "cancel", "destroy-token")
    assert outcome.status == "CANCELLED" and descriptors.before == descriptors.after, outcome


@pytest.mark.alone
@pytest.mark.parametrize("cancel_command", CANCEL_COMMANDS)
@three_attempts
def test_all_batches_of_embeddings_are_cancelled(server: FaultServer, cancel_command: str) -> None:
    """Batches of other threads are cancelled too, and these threads have ended when the call returns."""
    commands = ("inputs 100", "handle-option embed_batch_size=10", "handle-option embed_concurrency=4")
    (outcome,) = perform_all(server.url("never", "embed"), "token", *commands, f"{cancel_command} {BEFORE}", "embed")
    assert outcome.status == "CANCELLED" and "while waiting for the response" in outcome.message, outcome
    assert is_immediate(outcome, SHARED), outcome


def test_cancelled_stream_keeps_the_events_received_before(fault_sites: Sites) -> None:
    uri = fault_sites["stalls between events"].uri("stream")
    cancel = f"cancel-after {MILLISECONDS_BEFORE[SHARED.name][-1]}"
    outcomes = perform_all(uri, "token", "message user=hi", cancel, "stream", "reset-token", cancel, "callback")
    for outcome in outcomes:
        assert outcome.status == "CANCELLED" and outcome.text() == TEXT, outcome
        assert outcome.response and outcome.response.texts == [TEXT], outcome
