"""A call that was cancelled returns at once, whatever it was waiting for, and says what that was."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from asks import Descriptors, Outcome, ask_all, converse
from builds import ADDRESS, C99, CHECKED, EMULATED, ROOT, SHARED, THREAD, VALGRIND, Build
from faults.answers import ROUTE, TEXT, valid_response, path_of
from faults.heads import LONG_REQUESTS, stall_without_reading
from faults.peer import Peer
from faults.server import FaultServer
from faults.sites import Site, sites
from test_faults import ASKS, LONG_QUESTION, QUESTION

WAYS = ("cancel-after", "cancel-by-signal")
"""By another thread, and by a signal's handler on the asking one."""
MILLISECONDS_BEFORE = {
    SHARED.name: (100, 500, 2_000),
    ADDRESS.name: (500, 2_000),
    VALGRIND.name: (1_000, 4_000),
    THREAD.name: (500, 2_000),
}
"""In which a call gets to where it has to wait; what comes first is tried first."""
BEFORE = MILLISECONDS_BEFORE[SHARED.name][0]
MOST = {SHARED.name: 1_000 if EMULATED else 20, ADDRESS.name: 1_000, VALGRIND.name: 4_000, THREAD.name: 1_000}
"""Milliseconds that a cancelled call may go on. Under a tool it is not time that is looked at."""

ALL = tuple(ASKS)
STREAMS = ("stream", "callback")
OTHERS = ("call", "send", "embed", "raw", "list")
SLOW_NAME = "http://gateway.slow"


class Phase(NamedTuple):
    """What a call waits for, and the fault that makes it wait for that."""

    doing: str
    fault: str
    operations: Sequence[str] = ALL
    options: Sequence[str] = ()
    is_first: bool = False
    """Whether it is already the question what the server speaks that waits, if there is one."""


PHASES = (
    Phase("connecting", "connection not accepted, http", is_first=True),
    Phase("asking the proxy", "proxy: connection not accepted, https", is_first=True),
    Phase("asking the proxy", "proxy: stalls, https", is_first=True),
    Phase("shaking hands (TLS)", "TLS: stalls before the handshake", is_first=True),
    Phase("shaking hands (TLS)", "TLS: stalls in the handshake", is_first=True),
    Phase("shaking hands (TLS)", "tunnel: stalls, https", is_first=True),
    Phase("waiting for the answer", "proxy: stalls, http", is_first=True),
    Phase("waiting for the answer", "discovery: stalls without a response", OTHERS[:-2] + STREAMS, is_first=True),
    Phase("sending the question", "responds without reading the request body", OTHERS[:-1] + STREAMS),
    Phase("waiting for the answer", "stalls without reading the request"),
    Phase("waiting for the answer", "stalls without a response"),
    Phase("reading the answer", "stalls in the head"),
    Phase("reading the answer", "stalls after an interim response"),
    Phase("reading the answer", "stalls in the body", OTHERS),
    Phase("reading the answer", "stalls between chunks", OTHERS),
    Phase("reading the answer", "TLS: stalls in the body", OTHERS),
    Phase("reading the answer", "status 503 and stalls in the body"),
    Phase("waiting for the next event", "stalls before the first event", STREAMS),
    Phase("waiting for the next event", "stalls between events", STREAMS),
    Phase("waiting for the next event", "TLS: stalls in the body", STREAMS),
    Phase("waiting to ask again", "status 503 with Retry-After 30", options=("max_retries=3",)),
    # Whoever never has to wait looks for it all the same.
    Phase("waiting for the next event", "flood of comments", STREAMS),
)


class Cell(NamedTuple):
    """One operation in one phase, and how it is cancelled."""

    phase: Phase
    operation: str
    way: str

    def commands(self, site: Site, before: int) -> Iterator[str]:
        question = LONG_QUESTION if self.phase.fault in LONG_REQUESTS else QUESTION
        yield f"uri {site.uri(self.operation)}"
        yield from site.settings
        yield from (f"handle-option {option}" for option in self.phase.options)
        # The last one is cancelled: once the request's, if there is a request, and once the handle's.
        is_requests = self.way == WAYS[0] and self.operation not in ("call", "list")
        both = ("token", "request-token") if is_requests else ("request-token", "token")
        yield from ("again", *both, f"{self.way} {before}")
        yield from (command.format(question) for command in ASKS[self.operation])
        yield "close"

    def place(self, site: Site) -> str:
        """What the message begins with."""
        uri = site.uri(self.operation)
        if self.operation in ("list", "raw") or not self.phase.is_first:
            return f"{'GET' if self.operation == 'list' else 'POST'} {uri}{path_of(self.operation)}"
        return f"GET {uri}/api/2.0/endpoints/{ROUTE}"


class Came(NamedTuple):
    """What came of a cell."""

    outcome: Outcome
    descriptors: Descriptors


Sites = dict[str, Site]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with sites(tmp_path_factory.mktemp("faults")) as found:
        yield found


def cancelled(places: Sites, cells: Sequence[Cell], build: Build) -> dict[Cell, Came]:
    """One after the other. On a machine that has other things to do, some are late and some have not got to where they
    are to wait: those have another try, with more time before."""
    came: dict[Cell, Came] = {}
    for before in MILLISECONDS_BEFORE[build.name]:
        left = [cell for cell in cells if cell not in came or not is_right(cell, came[cell], places, build)]
        commands = (command for cell in left for command in cell.commands(places[cell.phase.fault], before))
        answers = converse(f"route {ROUTE}", *commands, build=build)
        came.update({cell: Came(*pair) for cell, *pair in zip(left, answers[::2], answers[1::2])})
    return came


def is_right(cell: Cell, came: Came, places: Sites, build: Build) -> bool:
    return came.outcome.message == message(cell, places) and is_at_once(came.outcome, build)


def message(cell: Cell, places: Sites) -> str:
    return f"{cell.place(places[cell.phase.fault])}: cancelled while {cell.phase.doing}"


def is_at_once(outcome: Outcome, build: Build) -> bool:
    return 0 <= outcome.cancelled_us <= MOST[build.name] * 1000


def check(cell: Cell, came: Came, places: Sites, build: Build) -> None:
    outcome, descriptors = came
    said = f"{cell.phase.fault}; {cell.operation}, {cell.way}, {build.name}: {outcome!r}"
    assert (outcome.status, outcome.message) == ("CANCELLED", message(cell, places)), said
    assert is_at_once(outcome, build), f"{said}; at most {MOST[build.name]} ms are allowed"
    assert outcome.took_us > MILLISECONDS_BEFORE[build.name][0] * 900, said
    assert descriptors.before == descriptors.after, f"{said}; {descriptors}"


@pytest.mark.alone
@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.fault)
def test_a_call_is_cancelled_in_every_phase(places: Sites, phase: Phase) -> None:
    cells = [Cell(phase, operation, way) for operation in phase.operations for way in WAYS]
    for cell, came in cancelled(places, cells, SHARED).items():
        check(cell, came, places, SHARED)


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_cancelling_harms_no_memory(places: Sites, build: Build) -> None:
    """Each phase once, but for TLS, which would need another valgrind, and several MB, which take their time."""
    phases = [phase for phase in PHASES if "TLS" not in phase.doing + phase.fault and phase.fault not in LONG_REQUESTS]
    cells = [
        Cell(phase, phase.operations[number % len(phase.operations)], WAYS[number % len(WAYS)])
        for number, phase in enumerate(phases)
    ]
    for cell, came in cancelled(places, cells, build).items():
        check(cell, came, places, build)


@pytest.fixture(scope="module")
def slow_names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which it takes long to look that name up."""
    library = tmp_path_factory.mktemp("names") / "slow_resolver.so"
    source = ROOT / "tests" / "c" / "slow_resolver.c"
    subprocess.run([*C99, "-shared", "-fPIC", str(source), "-o", str(library), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


@pytest.mark.alone
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("operation", ALL)
def test_a_look_up_is_cancelled(slow_names: dict[str, str], operation: str, way: str) -> None:
    asks = (command.format(QUESTION) for command in ASKS[operation])
    (outcome,) = ask_all(SLOW_NAME, "token", f"{way} {BEFORE}", *asks, env=slow_names)
    assert outcome.status == "CANCELLED" and "cancelled while resolving the host name" in outcome.message, outcome
    assert is_at_once(outcome, SHARED), outcome


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
def test_one_token_ends_many_calls(places: Sites, build: Build) -> None:
    """A list among them finds no fault on its way, since it is not the one of the path."""
    uri = places["stalls without a response"].uri("stream")
    ended = cancel_threads(uri, 20, build=build)
    stalled = [one for number, one in enumerate(ended) if number % 5 != 4]
    assert len(ended) == 20 and {one.status for one in stalled} == {"CANCELLED"}, ended
    assert all("cancelled while waiting for the answer" in one.message for one in stalled), ended
    assert all(one.us < MOST[build.name] * 1000 for one in stalled), ended


@pytest.mark.alone
def test_a_call_that_waits_for_another_threads_question(places: Sites) -> None:
    uri = places["discovery: stalls without a response"].uri("call")
    ended = cancel_threads(uri, 8, "behind-one")
    assert [one.status for one in ended] == ["CANCELLED"] * 8, ended
    assert ended[0].message == f"GET {uri}/api/2.0/endpoints/{ROUTE}: cancelled while waiting for the answer", ended
    assert all("cancelled while waiting for another thread's question" in one.message for one in ended[1:]), ended
    assert all(one.us < MOST[SHARED.name] * 1000 for one in ended), ended


def answer_late(peer: Peer, operation: str) -> None:
    """Long after the token has gone."""
    peer.read_request()
    time.sleep(0.3)
    peer.send(valid_response(operation))


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer({"late": answer_late, "never": stall_without_reading}) as running:
        yield running


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_nothing_is_sent_with_a_cancelled_token(server: FaultServer, build: Build) -> None:
    asks = [command.format(QUESTION) for operation in ALL for command in ("again", *ASKS[operation])]
    others = ("get-route", "health", "get-limits", "set-limits r=[]", 'create-route {"name":"x"}', "delete-route r")
    for outcome in ask_all(server.url("none", "call"), "token", "cancel", *asks, *others, build=build):
        assert outcome.status == "CANCELLED", outcome
        assert (outcome.error_attempts, outcome.cancelled_us) == (0, -1), outcome
    assert server.connections == 0


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@pytest.mark.parametrize("operation", ALL)
def test_a_token_can_be_used_again(server: FaultServer, build: Build, operation: str) -> None:
    commands = [command.format(QUESTION) for command in ASKS[operation]]
    again = commands[-1]
    commands += ["cancel", again, "reset-token", again, "cancel", again]
    outcomes = ask_all(server.url("none", operation), "token", *commands, build=build)
    statuses = [outcome.status.replace("STREAM_END", "OK") for outcome in outcomes]
    assert statuses == ["OK", "CANCELLED", "OK", "CANCELLED"], outcomes


def test_a_token_that_was_reset_is_as_good_as_new(server: FaultServer) -> None:
    """Also for what has to wait."""
    uri = server.url("late", "send")
    reset = ask_all(uri, "token", "cancel", "reset-token", "prompt hi", "send", "cancel-after 100", "send")
    assert [outcome.status for outcome in reset] == ["OK", "CANCELLED"], reset


def test_the_handles_and_the_requests_token_both_apply(server: FaultServer) -> None:
    def statuses(*commands: str) -> list[str]:
        return [outcome.status for outcome in ask_all(server.url("none", "send"), "prompt hi", *commands)]

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
def test_a_token_may_be_destroyed_that_a_call_has(server: FaultServer, build: Build, command: str) -> None:
    def asked(fault: str, *commands: str) -> Came:
        uri = server.url(fault, "send")
        came = converse(f"route {ROUTE}", f"uri {uri}", "prompt hi", command, *commands, "send", "close", build=build)
        return Came(*came)

    for commands in (["destroy-token"], ["destroy-token-after 100"]):
        outcome, descriptors = asked("late", *commands)
        assert outcome.response and outcome.response.texts == [TEXT], outcome
        assert descriptors.before == descriptors.after
    before = MILLISECONDS_BEFORE[build.name][0]
    outcome, descriptors = asked("never", f"cancel-after {before}", f"destroy-token-after {before}")
    assert outcome.status == "CANCELLED" and is_at_once(outcome, build), outcome
    assert descriptors.before == descriptors.after
    outcome, descriptors = asked("never", "cancel", "destroy-token")
    assert outcome.status == "CANCELLED" and descriptors.before == descriptors.after, outcome


@pytest.mark.alone
@pytest.mark.parametrize("way", WAYS)
def test_all_batches_of_vectors_are_cancelled(server: FaultServer, way: str) -> None:
    """Those that other threads ask for, too, and the threads have gone when the call returns."""
    commands = ("inputs 100", "handle-option embed_batch_size=10", "handle-option embed_concurrency=4")
    (outcome,) = ask_all(server.url("never", "embed"), "token", *commands, f"{way} {BEFORE}", "embed")
    assert outcome.status == "CANCELLED" and "while waiting for the answer" in outcome.message, outcome
    assert is_at_once(outcome, SHARED), outcome


def test_a_cancelled_stream_keeps_what_had_come(places: Sites) -> None:
    uri = places["stalls between events"].uri("stream")
    cancel = f"cancel-after {MILLISECONDS_BEFORE[SHARED.name][-1]}"
    outcomes = ask_all(uri, "token", "message user=hi", cancel, "stream", "reset-token", cancel, "callback")
    for outcome in outcomes:
        assert outcome.status == "CANCELLED" and outcome.text() == TEXT, outcome
        assert outcome.response and outcome.response.texts == [TEXT], outcome
