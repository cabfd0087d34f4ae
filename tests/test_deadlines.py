"""Deadlines: each runs out when it should, wherever the call is then, and the message says which one and where.

The defaults are in the header's table, and tests/test_options.py has them; to wait for them would take minutes.
"""

import concurrent.futures
import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from asks import Outcome, ask, ask_all
from builds import ROOT, SHARED
from chances import three_chances
from event_streams import chunk, events, head
from scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    answering,
    listening,
    unreachable_port,
)

pytestmark = pytest.mark.alone

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
GRACE_MS = 50
"""As long a call may last beyond its deadline."""


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """So that no time that is measured holds a compiler's."""
    SHARED.compile("asks.c")


def at_once(check: Callable[..., None], rows: Iterable[tuple]) -> None:
    """Makes each check, side by side: they do little but wait."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(three_chances(check), *row) for row in rows]:
            done.result()


def check_timeout(outcome: Outcome, option: str, ms: int, doing: str, *, took: float = 0) -> None:
    """This option's time ran out while this was done; the call took as long, or as long as is said."""
    assert outcome.status == "TIMEOUT", outcome
    words = f": timed out after {ms} ms ({option}) {doing}; "
    assert words in outcome.message, outcome.message
    method, url = outcome.message.split(":")[0].split(" ")[0], outcome.message.split(" ")[1]
    assert method in ("GET", "POST") and url.startswith("http"), outcome.message
    check_time(outcome, took or ms)


def check_time(outcome: Outcome, ms: float) -> None:
    assert ms - 5 <= outcome.took_us / 1000 <= ms + GRACE_MS, (outcome.took_us, outcome)


# Where a call may hang


class Place(NamedTuple):
    """Somewhere to ask where the call gets as far as this, and no further."""

    uri: str
    doing: str
    commands: tuple[str, ...] = ()


def silent(handler: Handler, request: Request) -> None:
    handler.stall()


def half(handler: Handler, request: Request) -> None:
    """Begins an answer. Of an event stream too, the head and a part of an event come at once."""
    if request.json().get("stream"):
        handler.wfile.write(head("until close", 0) + b"data: {")
    else:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"')
    handler.stall()


def trickling(handler: Handler, request: Request) -> None:
    """Ends never, and does not pause."""
    with contextlib.suppress(OSError):
        is_stream = request.json().get("stream")
        handler.wfile.write(head("until close", 0) if is_stream else b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            handler.wfile.write(b":\n" if is_stream else b" ")
            handler.wfile.flush()
            time.sleep(0.01)


@contextlib.contextmanager
def place(name: str) -> Iterator[Place]:
    """The places by name. Each hangs for good."""
    if name == "resolve":
        yield Place("http://gateway.slow", "while resolving the host name")
    elif name == "connect":
        with unreachable_port() as port:
            yield Place(f"http://{HOST}:{port}", f"while connecting to {HOST}:{port}")
    elif name == "TLS":
        with listening(lambda connection: None) as port:
            yield Place(f"https://{HOST}:{port}", "during the TLS handshake")
    elif name == "proxy":
        with listening(lambda connection: None) as port:
            yield Place(f"https://{HOST}:1", "while connecting through the proxy", (f"handle-option proxy=http://{HOST}:{port}",))
    elif name == "proxy that is not there":
        with unreachable_port() as port:
            yield Place(f"https://{HOST}:1", "while connecting through the proxy", (f"handle-option proxy=http://{HOST}:{port}",))
    elif name == "send":
        with listening(never_reading) as port:
            yield Place(f"http://{HOST}:{port}", "while sending the request", ("again", "message user=" + "x" * 6_000_000))
    else:
        script = {"wait": silent, "read": half, "trickle": trickling}[name]
        with ScriptedGateway(answering(script, CHAT_ROUTE)) as gateway:
            yield Place(gateway.url, "while waiting for the response" if name == "wait" else "while reading the response")


def never_reading(connection: socket.socket) -> None:
    """Tells what its route is for, and reads no question."""
    request = connection.recv(4096)
    if request.startswith(b"GET"):
        body = b'{"name":"r","endpoint_type":"llm/v1/chat"}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        connection.close()


PLACES = ("resolve", "connect", "TLS", "proxy", "proxy that is not there", "send", "wait", "read", "trickle")
CONNECTING = PLACES[:5]
ALONE = tuple(f"handle-option {name}_timeout_ms=0" for name in ("connect", "first_byte", "idle"))
"""With these the whole alone counts."""


@pytest.fixture(scope="module")
def slow_resolver(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which some names are not found for a long time."""
    library = tmp_path_factory.mktemp("resolver") / "slow_resolver.so"
    source = str(ROOT / "tests/c/slow_resolver.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def test_the_whole_call_has_one_deadline(slow_resolver: dict[str, str]) -> None:
    def check(name: str, way: str) -> None:
        with place(name) as there:
            commands = ("prompt hi", *there.commands, *ALONE)
            outcome = ask(there.uri, "handle-option timeout_ms=400", *commands, way, env=slow_resolver)
        is_event = way == "stream" and name in ("read", "trickle")
        check_timeout(outcome, "timeout_ms", 400, "while waiting for the next event" if is_event else there.doing)

    at_once(check, [(name, way) for name in PLACES for way in ("send", "stream")])


@pytest.mark.parametrize("ms", [50, 1000])
def test_deadlines_are_kept_to_the_millisecond(ms: int) -> None:
    """On a machine that has nothing else to do; so one try in a few has to show it."""

    def over(name: str) -> float:
        with place(name) as there:
            option = f"handle-option timeout_ms={ms}"
            outcome = ask(there.uri, option, "handle-option dialect=deployments", *there.commands, "message user=hi", "send")
        check_timeout(outcome, "timeout_ms", ms, there.doing)
        assert outcome.took_us >= ms * 1000, outcome
        return outcome.took_us / 1000 - ms

    for name in ("connect", "wait", "read"):
        tries = [over(name)]
        while min(tries) > 2 and len(tries) < 8:
            tries.append(over(name))
        assert min(tries) <= 2, (name, tries)


def test_a_long_deadline_is_kept_to_as_well() -> None:
    """The system ends a long wait late by a part of its length, unless it is made of shorter ones."""

    def check(*token: str) -> None:
        with place("wait") as there:
            outcome = ask(there.uri, "handle-option timeout_ms=6000", *token, "prompt hi", *ALONE, "send")
        check_timeout(outcome, "timeout_ms", 6000, there.doing)

    at_once(check, [(), ("token",)])


def test_connecting_has_its_own_time(slow_resolver: dict[str, str]) -> None:
    """For each attempt. A server that cannot be reached is not asked for its dialect first, and then for the answer."""

    def check(name: str) -> None:
        with place(name) as there:
            times = ("handle-option timeout_ms=8000", "handle-option connect_timeout_ms=200")
            commands = (*times, "prompt hi", *there.commands, "send", "stream")
            for outcome in ask_all(there.uri, *commands, env=slow_resolver):
                check_timeout(outcome, "connect_timeout_ms", 200, there.doing)
                assert outcome.error_attempts == 0, "nothing was sent"

    at_once(check, [(name,) for name in CONNECTING])


def test_what_is_asked_beside_questions_has_the_same_deadlines() -> None:
    def check(uri: str, way: str, option: str, ms: int, doing: str) -> None:
        options = ("handle-option dialect=deployments", "handle-option timeout_ms=8000", f"handle-option {option}={ms}")
        check_timeout(ask(uri, *options, way), option, ms, doing)

    with ScriptedGateway(silent) as gateway, unreachable_port() as port:
        rows = []
        for way in ("list", "get-route", "health", "get-limits r", "set-limits r=[]"):
            rows += [
                (gateway.url, way, "timeout_ms", 300, "while waiting for the response"),
                (gateway.url, way, "first_byte_timeout_ms", 200, "while waiting for the response"),
                (f"http://{HOST}:{port}", way, "connect_timeout_ms", 200, f"while connecting to {HOST}:{port}"),
            ]
        at_once(check, rows)


def test_the_first_byte_has_its_own_time() -> None:
    def check(way: str) -> None:
        question = "input hi" if way == "embed" else "prompt hi"
        with ScriptedGateway(answering(silent, EMBEDDINGS_ROUTE if way == "embed" else CHAT_ROUTE)) as gateway:
            times = ("handle-option timeout_ms=8000", "handle-option first_byte_timeout_ms=200")
            outcome = ask(gateway.url, *times, question, way)
        check_timeout(outcome, "first_byte_timeout_ms", 200, "while waiting for the response")
        assert outcome.error_attempts == 1, "the server may be at it"

    at_once(check, [(way,) for way in ("call hi", "send", "stream", "callback", "embed")])


@three_chances
def test_the_first_byte_is_all_that_is_waited_for() -> None:
    """A head that comes in time, or a byte of it, is as good as the whole."""

    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.1)
        handler.wfile.write(b"H")
        handler.wfile.flush()
        time.sleep(0.25)
        body = b'{"choices":[{"message":{"content":"x"}}]}'
        handler.wfile.write(b"TTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        handler.wfile.flush()
        time.sleep(0.25)
        handler.wfile.write(body)

    with ScriptedGateway(answering(slow, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, "handle-option first_byte_timeout_ms=200", "prompt hi", "send")
    assert outcome.status == "OK", outcome
    check_time(outcome, 600)


@three_chances
def test_a_long_question_does_not_count_against_the_first_byte() -> None:
    """Its time begins with the last byte of the question."""

    def slow_reader(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
        body = b'{"name":"r","endpoint_type":"llm/v1/chat"}'
        if received.startswith(b"POST"):
            left = int(received.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            left -= len(received.split(b"\r\n\r\n", 1)[1])
            time.sleep(0.4)
            while left > 0:
                left -= len(connection.recv(1 << 20))
            body = b'{"choices":[{"message":{"content":"x"}}]}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        connection.close()

    with listening(slow_reader) as port:
        times = ("handle-option timeout_ms=8000", "handle-option first_byte_timeout_ms=200")
        outcome = ask(f"http://{HOST}:{port}", *times, "message user=" + "x" * 6_000_000, "send")
    assert outcome.status == "OK", outcome


# Streams


def streaming(*pieces: tuple[float, str]) -> ScriptedGateway:
    """A gateway that sends these pieces of a stream, each after so many seconds, and then says nothing more."""

    def stream(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0))
        handler.wfile.flush()
        for pause, piece in pieces:
            time.sleep(pause)
            handler.wfile.write(piece.encode())
            handler.wfile.flush()
        handler.stall()

    return ScriptedGateway(answering(stream, CHAT_ROUTE))


DELTA = events(chunk("x"))
END = events(chunk(None, finish_reason="stop"), "[DONE]")
SIGNS_OF_NO_LIFE = {
    "nothing": [],
    "comments": [(0.05, ": ping\n\n")] * 40,
    "events that say nothing": [(0.05, events({"type": "ping"}) + events("{}"))] * 40,
    "empty lines": [(0.05, "\n\n")] * 40,
    "fields without data": [(0.05, "event: ping\nid: 1\nretry: 5\n\n")] * 40,
    "an event that does not end": [(0.05, "data: {\n")] * 40,
    "a line that does not end": [(0.0, "data: "), *[(0.05, " ")] * 40],
}


def test_a_stream_may_not_pause_for_long() -> None:
    def check(name: str, way: str) -> None:
        with streaming((0.1, DELTA), *SIGNS_OF_NO_LIFE[name]) as gateway:
            times = ("handle-option timeout_ms=8000", "handle-option idle_timeout_ms=200")
            outcome = ask(gateway.url, *times, "prompt hi", way)
        check_timeout(outcome, "idle_timeout_ms", 200, "while waiting for the next event", took=300)
        assert outcome.text() == "x", name
        assert outcome.response.texts == ["x"], "what had come can be read"

    at_once(check, [(name, way) for name in SIGNS_OF_NO_LIFE for way in ("stream", "callback")])


def test_first_event_has_the_time_of_a_whole_call() -> None:
    """A model that reasons for long before its first word is not cut by the time between words."""

    def check(name: str) -> None:
        with streaming(*SIGNS_OF_NO_LIFE[name]) as gateway:
            times = ("handle-option timeout_ms=400", "handle-option idle_timeout_ms=100")
            outcome = ask(gateway.url, *times, "prompt hi", "stream")
        check_timeout(outcome, "timeout_ms", 400, "while waiting for the next event")
        assert outcome.response.texts == []

    at_once(check, [(name,) for name in SIGNS_OF_NO_LIFE])


@three_chances
def test_living_stream_outlasts_the_time_of_a_whole_call() -> None:
    with streaming(*[(0.1, DELTA)] * 6, (0.1, END)) as gateway:
        for way in ("stream", "callback"):
            outcome = ask(gateway.url, "handle-option timeout_ms=300", "prompt hi", way)
            assert (outcome.status.removeprefix("STREAM_END"), outcome.text()) in (("OK", "x" * 6), ("", "x" * 6)), outcome
            assert outcome.took_us > 600_000


@three_chances
def test_a_stream_that_goes_on_may_last() -> None:
    with streaming(*[(0.1, DELTA)] * 6, (0.1, END)) as gateway:
        outcome = ask(gateway.url, "handle-option idle_timeout_ms=200", "prompt hi", "callback")
    assert (outcome.status, outcome.text()) == ("OK", "x" * 6), outcome
    assert outcome.took_us > 600_000


@three_chances
def test_events_without_a_text_are_signs_of_life() -> None:
    """The role, calls of tools and the tokens mean something, too."""
    fragment = {"index": 0, "function": {"arguments": "x"}}
    signs = [chunk(None, role="assistant"), chunk(None, tool_calls=[fragment]), chunk(""), chunk("x")]
    with streaming(*[(0.15, events(sign)) for sign in signs], (0.15, END)) as gateway:
        outcome = ask(gateway.url, "handle-option idle_timeout_ms=250", "prompt hi", "callback")
    assert outcome.status == "OK", outcome


def read_slowly(gateway: ScriptedGateway, pause_ms: int, *options: str) -> tuple[str, float, int, str]:
    """The status, how many milliseconds the last call took, the events before it, and the message."""
    done = SHARED.run("test_slow_reader.c", gateway.url, str(pause_ms), *options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    status, took, events, message = done.stdout.split(" ", 3)
    return status, float(took), int(events), message


@three_chances
def test_the_callers_own_time_is_not_the_streams() -> None:
    """Between two calls of mlflow_gateway_stream_next() the stream has nothing to prove."""
    with streaming((0, DELTA), (0, DELTA), (0.4, DELTA), (0, END)) as gateway:
        status, _, events, _ = read_slowly(gateway, 200, "idle_timeout_ms=150")
        assert (status, events) == ("STREAM_END", 4), "three texts and the finish reason"
    with streaming((0, DELTA)) as gateway:
        status, took, events, message = read_slowly(gateway, 200, "idle_timeout_ms=150")
        assert (status, events) == ("TIMEOUT", 1) and "timed out after 150 ms (idle_timeout_ms)" in message, message
        assert 145 <= took <= 150 + GRACE_MS


@three_chances
def test_the_whole_counts_for_a_stream_with_the_callers_own_time() -> None:
    with streaming(*[(0.05, DELTA)] * 40) as gateway:
        outcome = ask(gateway.url, "handle-option stream_timeout_ms=400", "prompt hi", "callback")
        check_timeout(outcome, "stream_timeout_ms", 400, "while waiting for the next event")
        status, took, events, message = read_slowly(gateway, 150, "stream_timeout_ms=400")
        assert status == "TIMEOUT" and "timed out after 400 ms (stream_timeout_ms)" in message, message
        # What had come by then is given out, and nothing is waited for.
        assert events <= 8 and took <= GRACE_MS


# What counts


@three_chances
def test_nothing_means_that_the_whole_alone_counts() -> None:
    with unreachable_port() as port:
        outcome = ask(f"http://{HOST}:{port}", *ALONE, "handle-option timeout_ms=300", "prompt hi", "send")
        check_timeout(outcome, "timeout_ms", 300, f"while connecting to {HOST}:{port}")
    with ScriptedGateway(answering(silent, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, *ALONE, "handle-option timeout_ms=300", "prompt hi", "send")
        check_timeout(outcome, "timeout_ms", 300, "while waiting for the response")
    with streaming((0, DELTA)) as gateway:
        outcome = ask(gateway.url, *ALONE, "handle-option stream_timeout_ms=300", "prompt hi", "stream")
        check_timeout(outcome, "stream_timeout_ms", 300, "while waiting for the next event")


@three_chances
def test_the_shorter_one_counts() -> None:
    with ScriptedGateway(answering(silent, CHAT_ROUTE)) as gateway:
        both = ("handle-option timeout_ms=300", "handle-option first_byte_timeout_ms=5000")
        check_timeout(ask(gateway.url, *both, "prompt hi", "send"), "timeout_ms", 300, "while waiting for the response")


def test_a_request_has_its_own() -> None:
    """And the next one the handle's again."""

    def check(name: str, uri: str, way: str, doing: str) -> None:
        own, handles = ask_all(
            uri, "handle-option timeout_ms=8000", f"handle-option {name}=400", "prompt hi", f"option {name}=150", way,
            "again", "prompt hi", way,
        )  # fmt: skip
        check_timeout(own, name, 150, doing)
        check_timeout(handles, name, 400, doing)

    with contextlib.ExitStack() as stack:
        port, stream = stack.enter_context(unreachable_port()), stack.enter_context(streaming((0, DELTA)))
        gateway = stack.enter_context(ScriptedGateway(answering(silent, CHAT_ROUTE)))
        rows = [
            ("timeout_ms", gateway.url, "send", "while waiting for the response"),
            ("first_byte_timeout_ms", gateway.url, "send", "while waiting for the response"),
            ("connect_timeout_ms", f"http://{HOST}:{port}", "send", f"while connecting to {HOST}:{port}"),
            ("idle_timeout_ms", stream.url, "callback", "while waiting for the next event"),
            ("stream_timeout_ms", stream.url, "callback", "while waiting for the next event"),
        ]
        at_once(check, rows)

@three_chances
def test_all_attempts_and_sleeps_are_within_one_deadline() -> None:
    refusals = 0

    def refuse_twice(handler: Handler, request: Request) -> None:
        nonlocal refusals
        refusals += 1
        if refusals > 2:
            handler.stall()
        time.sleep(0.1)
        handler.answer(503, {"detail": "not now"})

    retries = ("handle-option max_retries=9", "handle-option retry_backoff_ms=20")
    with ScriptedGateway(answering(refuse_twice, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, *retries, "handle-option timeout_ms=500", "prompt hi", "send")
    check_timeout(outcome, "timeout_ms", 500, "while waiting for the response")
    assert outcome.error_attempts == 3 and outcome.message.endswith("; tried 3 times"), outcome.message


@three_chances
def test_each_attempt_has_the_time_to_connect_anew() -> None:
    retries = ("handle-option max_retries=2", "handle-option retry_backoff_ms=1", "handle-option timeout_ms=8000")
    with unreachable_port() as port:
        outcome = ask(f"http://{HOST}:{port}", *retries, "handle-option connect_timeout_ms=150", "prompt hi", "send")
    check_timeout(outcome, "connect_timeout_ms", 150, f"while connecting to {HOST}:{port}", took=450)
    assert outcome.message.endswith("; tried 3 times"), outcome.message


@three_chances
def test_vectors_of_several_requests_have_one_deadline() -> None:
    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.15)
        handler.answer(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})

    with ScriptedGateway(answering(slow, EMBEDDINGS_ROUTE)) as gateway:
        for concurrency in (1, 3):
            commands = ("inputs 30", "option embed_batch_size=1", f"option embed_concurrency={concurrency}")
            outcome = ask(gateway.url, "handle-option timeout_ms=400", *commands, "embed")
            check_timeout(outcome, "timeout_ms", 400, "while waiting for the response")
