"""Deadlines: each expires on time in every phase, and the error message names the option and the phase.

The defaults are in the header's table, and tests/test_options.py checks them; waiting for them would take minutes.
"""

import concurrent.futures
import contextlib
import socket
import ssl
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pytest
import trustme
from support.builds import ROOT, SHARED
from support.event_streams import chunk, events, head
from support.operations import Outcome, perform, perform_all
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    listening,
    one_route,
    unreachable_port,
)
from support.timing import machine_lateness, three_attempts

pytestmark = pytest.mark.alone

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
GRACE_MS = 50
"""The time that a call may take beyond its deadline."""
TRIES = 3


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Compiles the program first, so that no measured time includes the compiler."""
    SHARED.compile("operations.c")


def run_in_parallel(check: Callable[..., None], rows: Iterable[tuple]) -> None:
    """Runs the check for each row, in parallel: the checks mostly wait."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(three_attempts(check), *row) for row in rows]:
            done.result()


def check_timeout(outcome: Outcome, option: str, ms: int, doing: str, *, took: float = 0) -> None:
    """Checks that this option expired in this phase, and that the call took that long, or `took` milliseconds."""
    assert outcome.status == "TIMEOUT", outcome
    words = f": timed out after {ms} ms ({option}) {doing}; "
    assert words in outcome.message, outcome.message
    method, url = outcome.message.split(":")[0].split(" ")[0], outcome.message.split(" ")[1]
    assert method in ("GET", "POST") and url.startswith("http"), outcome.message
    check_time(outcome, took or ms)


def check_time(outcome: Outcome, ms: float) -> None:
    assert ms - 5 <= outcome.took_us / 1000 <= ms + GRACE_MS, (outcome.took_us, outcome)


# Phases in which a call may hang


class Endpoint(NamedTuple):
    """A URI at which a call hangs in one phase."""

    uri: str
    doing: str
    commands: tuple[str, ...] = ()


def stall(handler: Handler, request: Request) -> None:
    handler.stall()


def stall_in_body(handler: Handler, request: Request) -> None:
    """Sends the beginning of a response, and stalls; of an event stream the head and a part of an event."""
    if request.json().get("stream"):
        handler.wfile.write(head("until close", 0) + b"data: {")
    else:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"')
    handler.stall()


def trickle(handler: Handler, request: Request) -> None:
    """Sends a response that never ends, without a pause."""
    with contextlib.suppress(OSError):
        is_stream = request.json().get("stream")
        handler.wfile.write(head("until close", 0) if is_stream else b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
        while True:
            handler.wfile.write(b":\n" if is_stream else b" ")
            handler.wfile.flush()
            time.sleep(0.01)


@contextlib.contextmanager
def hanging_endpoint(name: str) -> Iterator[Endpoint]:
    """Starts the endpoint of this name. It hangs forever."""
    if name == "resolve":
        yield Endpoint("http://gateway.slow", "while resolving the host name")
    elif name == "connect":
        with unreachable_port() as port:
            yield Endpoint(f"http://{HOST}:{port}", f"while connecting to {HOST}:{port}")
    elif name == "TLS":
        with listening(lambda connection: None) as port:
            yield Endpoint(f"https://{HOST}:{port}", "during the TLS handshake")
    elif name == "proxy":
        with listening(lambda connection: None) as port:
            yield Endpoint(f"https://{HOST}:1", "while connecting through the proxy", (f"handle-option proxy=http://{HOST}:{port}",))
    elif name == "proxy that is not there":
        with unreachable_port() as port:
            yield Endpoint(f"https://{HOST}:1", "while connecting through the proxy", (f"handle-option proxy=http://{HOST}:{port}",))
    elif name == "send":
        with listening(never_read) as port:
            yield Endpoint(
                f"http://{HOST}:{port}", "while sending the request", ("again", "message user=" + "x" * 6_000_000)
            )
    elif name == "send over TLS":
        with never_reading_tls() as port:
            commands = ("handle-option insecure_tls=true", "again", "message user=" + "x" * 6_000_000)
            yield Endpoint(f"https://{HOST}:{port}", "while sending the request", commands)
    else:
        script = {"wait": stall, "read": stall_in_body, "trickle": trickle}[name]
        with ScriptedGateway(one_route(script, CHAT_ROUTE)) as gateway:
            yield Endpoint(gateway.url, "while waiting for the response" if name == "wait" else "while reading the response")


def never_read(connection: socket.socket) -> None:
    """Describes its route, but never reads a POST request."""
    request = connection.recv(4096)
    if request.startswith(b"GET"):
        body = b'{"name":"r","endpoint_type":"llm/v1/chat"}'
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        connection.close()


@contextlib.contextmanager
def never_reading_tls() -> Iterator[int]:
    """Starts a server that does the same over TLS, and yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(context)
    # A socket without a reference would be closed.
    connections: list[ssl.SSLSocket] = []

    def serve(connection: socket.socket) -> None:
        connections.append(context.wrap_socket(connection, server_side=True))
        never_read(connections[-1])

    with listening(serve) as port:
        yield port
    for connection in connections:
        connection.close()


HANGING_ENDPOINTS = (
    "resolve", "connect", "TLS", "proxy", "proxy that is not there",
    "send", "send over TLS", "wait", "read", "trickle",
)  # fmt: skip
CONNECTING = HANGING_ENDPOINTS[:5]
NO_PHASE_TIMEOUTS = tuple(f"handle-option {name}_timeout_ms=0" for name in ("connect", "first_byte", "idle"))
"""With these only the deadline of the call applies."""


@pytest.fixture(scope="module")
def slow_resolver(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which resolving some host names takes long."""
    library = tmp_path_factory.mktemp("resolver") / "slow_resolver.so"
    source = str(ROOT / "tests/c/slow_resolver.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def test_timeout_ms_limits_the_whole_call_in_every_phase(slow_resolver: dict[str, str]) -> None:
    def check(name: str, command: str) -> None:
        with hanging_endpoint(name) as endpoint:
            commands = ("prompt hi", *endpoint.commands, *NO_PHASE_TIMEOUTS)
            outcome = perform(endpoint.uri, "handle-option timeout_ms=400", *commands, command, env=slow_resolver)
        is_event = command == "stream" and name in ("read", "trickle")
        check_timeout(outcome, "timeout_ms", 400, "while waiting for the next event" if is_event else endpoint.doing)

    run_in_parallel(check, [(name, command) for name in HANGING_ENDPOINTS for command in ("send", "stream")])


@pytest.mark.parametrize("ms", [50, 1000])
@three_attempts
def test_deadline_is_kept_within_two_milliseconds(ms: int) -> None:
    """Beyond the time by which the machine itself is late."""

    def over(name: str) -> float:
        with hanging_endpoint(name) as endpoint:
            options = (f"handle-option timeout_ms={ms}", "handle-option dialect=deployments", *endpoint.commands)
            outcome = perform(endpoint.uri, *options, "message user=hi", "send")
        check_timeout(outcome, "timeout_ms", ms, endpoint.doing)
        assert outcome.took_us >= ms * 1000, outcome
        return outcome.took_us / 1000 - ms

    for name in ("connect", "wait", "read"):
        with machine_lateness() as machine:
            tries = [over(name) for _ in range(TRIES)]
        assert statistics.median(tries) <= 2 + machine.percentile(99), (name, tries, machine.percentile(99))


def test_long_deadline_is_kept_within_the_grace_period() -> None:
    """The system may end a long wait late, in proportion to its length; the library splits it into shorter ones."""

    def check(*token: str) -> None:
        with hanging_endpoint("wait") as endpoint:
            outcome = perform(
                endpoint.uri, "handle-option timeout_ms=6000", *token, "prompt hi", *NO_PHASE_TIMEOUTS, "send"
            )
        check_timeout(outcome, "timeout_ms", 6000, endpoint.doing)

    run_in_parallel(check, [(), ("token",)])


def test_connect_timeout_ms_limits_connecting_in_every_phase(slow_resolver: dict[str, str]) -> None:
    """An unreachable server costs one timeout, not one for discovery and another for the request."""

    def check(name: str) -> None:
        with hanging_endpoint(name) as endpoint:
            options = ("handle-option timeout_ms=8000", "handle-option connect_timeout_ms=200")
            commands = (*options, "prompt hi", *endpoint.commands, "send", "stream")
            for outcome in perform_all(endpoint.uri, *commands, env=slow_resolver):
                check_timeout(outcome, "connect_timeout_ms", 200, endpoint.doing)
                assert outcome.error_attempts == 0, "nothing was sent"

    run_in_parallel(check, [(name,) for name in CONNECTING])


def test_route_functions_obey_the_same_timeouts() -> None:
    def check(uri: str, command: str, option: str, ms: int, doing: str) -> None:
        options = ("handle-option dialect=deployments", "handle-option timeout_ms=8000", f"handle-option {option}={ms}")
        check_timeout(perform(uri, *options, command), option, ms, doing)

    with ScriptedGateway(stall) as gateway, unreachable_port() as port:
        rows = []
        for command in ("list", "get-route", "health", "get-limits r", "set-limits r=[]"):
            rows += [
                (gateway.url, command, "timeout_ms", 300, "while waiting for the response"),
                (gateway.url, command, "first_byte_timeout_ms", 200, "while waiting for the response"),
                (f"http://{HOST}:{port}", command, "connect_timeout_ms", 200, f"while connecting to {HOST}:{port}"),
            ]
        run_in_parallel(check, rows)


def test_first_byte_timeout_ms_limits_waiting_for_the_first_byte() -> None:
    def check(command: str) -> None:
        input = "input hi" if command == "embed" else "prompt hi"
        with ScriptedGateway(one_route(stall, EMBEDDINGS_ROUTE if command == "embed" else CHAT_ROUTE)) as gateway:
            options = ("handle-option timeout_ms=8000", "handle-option first_byte_timeout_ms=200")
            outcome = perform(gateway.url, *options, input, command)
        check_timeout(outcome, "first_byte_timeout_ms", 200, "while waiting for the response")
        assert outcome.error_attempts == 1, "the server may be processing the request"

    run_in_parallel(check, [(command,) for command in ("call hi", "send", "stream", "callback", "embed")])


@three_attempts
def test_first_byte_timeout_ms_ends_with_the_first_byte() -> None:
    """One byte of the head in time is enough."""

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

    with ScriptedGateway(one_route(slow, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, "handle-option first_byte_timeout_ms=200", "prompt hi", "send")
    assert outcome.status == "OK", outcome
    check_time(outcome, 600)


@three_attempts
def test_first_byte_timeout_ms_starts_after_the_upload() -> None:
    """The limit starts with the last byte of the request."""

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
        options = ("handle-option timeout_ms=8000", "handle-option first_byte_timeout_ms=200")
        outcome = perform(f"http://{HOST}:{port}", *options, "message user=" + "x" * 6_000_000, "send")
    assert outcome.status == "OK", outcome


# Streams


def streaming(*pieces: tuple[float, str]) -> ScriptedGateway:
    """A gateway that sends these pieces of a stream, each after a pause in seconds, and then stalls."""

    def stream(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0))
        handler.wfile.flush()
        for pause, piece in pieces:
            time.sleep(pause)
            handler.wfile.write(piece.encode())
            handler.wfile.flush()
        handler.stall()

    return ScriptedGateway(one_route(stream, CHAT_ROUTE))


DELTA = events(chunk("x"))
END = events(chunk(None, finish_reason="stop"), "[DONE]")
NO_EVENTS = {
    "nothing": [],
    "comments": [(0.05, ": ping\n\n")] * 40,
    "events that say nothing": [(0.05, events({"type": "ping"}) + events("{}"))] * 40,
    "empty lines": [(0.05, "\n\n")] * 40,
    "fields without data": [(0.05, "event: ping\nid: 1\nretry: 5\n\n")] * 40,
    "an event that does not end": [(0.05, "data: {\n")] * 40,
    "a line that does not end": [(0.0, "data: "), *[(0.05, " ")] * 40],
}


def test_idle_timeout_ms_limits_the_pause_between_events() -> None:
    def check(name: str, command: str) -> None:
        with streaming((0.1, DELTA), *NO_EVENTS[name]) as gateway:
            options = ("handle-option timeout_ms=8000", "handle-option idle_timeout_ms=200")
            outcome = perform(gateway.url, *options, "prompt hi", command)
        check_timeout(outcome, "idle_timeout_ms", 200, "while waiting for the next event", took=300)
        assert outcome.text() == "x", name
        assert outcome.response.texts == ["x"], "events received before can be read"

    run_in_parallel(check, [(name, command) for name in NO_EVENTS for command in ("stream", "callback")])


def test_first_event_is_limited_by_timeout_ms_not_idle_timeout_ms() -> None:
    """A model that reasons for long before its first event is not cut off by the limit between events."""

    def check(name: str) -> None:
        with streaming(*NO_EVENTS[name]) as gateway:
            options = ("handle-option timeout_ms=400", "handle-option idle_timeout_ms=100")
            outcome = perform(gateway.url, *options, "prompt hi", "stream")
        check_timeout(outcome, "timeout_ms", 400, "while waiting for the next event")
        assert outcome.response.texts == []

    run_in_parallel(check, [(name,) for name in NO_EVENTS])


@three_attempts
def test_stream_with_events_may_outlast_timeout_ms() -> None:
    with streaming(*[(0.1, DELTA)] * 6, (0.1, END)) as gateway:
        for command in ("stream", "callback"):
            outcome = perform(gateway.url, "handle-option timeout_ms=300", "prompt hi", command)
            assert (outcome.status.removeprefix("STREAM_END"), outcome.text()) in (("OK", "x" * 6), ("", "x" * 6)), outcome
            assert outcome.took_us > 600_000


@three_attempts
def test_stream_with_events_may_outlast_idle_timeout_ms() -> None:
    with streaming(*[(0.1, DELTA)] * 6, (0.1, END)) as gateway:
        outcome = perform(gateway.url, "handle-option idle_timeout_ms=200", "prompt hi", "callback")
    assert (outcome.status, outcome.text()) == ("OK", "x" * 6), outcome
    assert outcome.took_us > 600_000


@three_attempts
def test_events_without_text_reset_idle_timeout_ms() -> None:
    """The role, tool calls and token counts count as events."""
    fragment = {"index": 0, "function": {"arguments": "x"}}
    chunks = [chunk(None, role="assistant"), chunk(None, tool_calls=[fragment]), chunk(""), chunk("x")]
    with streaming(*[(0.15, events(each)) for each in chunks], (0.15, END)) as gateway:
        outcome = perform(gateway.url, "handle-option idle_timeout_ms=250", "prompt hi", "callback")
    assert outcome.status == "OK", outcome


def read_slowly(gateway: ScriptedGateway, pause_ms: int, *options: str) -> tuple[str, float, int, str]:
    """Returns the status, the milliseconds of the last call, the number of events before it, and the message."""
    done = SHARED.run("test_slow_reader.c", gateway.url, str(pause_ms), *options)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    status, took, events, message = done.stdout.split(" ", 3)
    return status, float(took), int(events), message


@three_attempts
def test_pause_of_the_caller_does_not_count_as_idle() -> None:
    """The time between two calls of mlflow_gateway_stream_next() is not idle time of the stream."""
    with streaming((0, DELTA), (0, DELTA), (0.4, DELTA), (0, END)) as gateway:
        status, _, events, _ = read_slowly(gateway, 200, "idle_timeout_ms=150")
        assert (status, events) == ("STREAM_END", 4), "three texts and the finish reason"
    with streaming((0, DELTA)) as gateway:
        status, took, events, message = read_slowly(gateway, 200, "idle_timeout_ms=150")
        assert (status, events) == ("TIMEOUT", 1) and "timed out after 150 ms (idle_timeout_ms)" in message, message
        assert 145 <= took <= 150 + GRACE_MS


@three_attempts
def test_stream_timeout_ms_includes_the_pauses_of_the_caller() -> None:
    with streaming(*[(0.05, DELTA)] * 40) as gateway:
        outcome = perform(gateway.url, "handle-option stream_timeout_ms=400", "prompt hi", "callback")
        check_timeout(outcome, "stream_timeout_ms", 400, "while waiting for the next event")
        status, took, events, message = read_slowly(gateway, 150, "stream_timeout_ms=400")
        assert status == "TIMEOUT" and "timed out after 400 ms (stream_timeout_ms)" in message, message
        # Events received by then are returned without waiting.
        assert events <= 8 and took <= GRACE_MS


# Precedence


@three_attempts
def test_timeout_of_0_means_that_only_the_deadline_applies() -> None:
    with unreachable_port() as port:
        outcome = perform(
            f"http://{HOST}:{port}", *NO_PHASE_TIMEOUTS, "handle-option timeout_ms=300", "prompt hi", "send"
        )
        check_timeout(outcome, "timeout_ms", 300, f"while connecting to {HOST}:{port}")
    with ScriptedGateway(one_route(stall, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, *NO_PHASE_TIMEOUTS, "handle-option timeout_ms=300", "prompt hi", "send")
        check_timeout(outcome, "timeout_ms", 300, "while waiting for the response")
    with streaming((0, DELTA)) as gateway:
        outcome = perform(gateway.url, *NO_PHASE_TIMEOUTS, "handle-option stream_timeout_ms=300", "prompt hi", "stream")
        check_timeout(outcome, "stream_timeout_ms", 300, "while waiting for the next event")


@three_attempts
def test_shorter_of_two_timeouts_applies() -> None:
    with ScriptedGateway(one_route(stall, CHAT_ROUTE)) as gateway:
        both = ("handle-option timeout_ms=300", "handle-option first_byte_timeout_ms=5000")
        check_timeout(perform(gateway.url, *both, "prompt hi", "send"), "timeout_ms", 300, "while waiting for the response")


def test_request_timeout_overrides_the_handles_for_one_request() -> None:
    """The next request uses the handle's value again."""

    def check(name: str, uri: str, command: str, doing: str) -> None:
        of_request, of_handle = perform_all(
            uri, "handle-option timeout_ms=8000", f"handle-option {name}=400", "prompt hi", f"option {name}=150", command,
            "again", "prompt hi", command,
        )  # fmt: skip
        check_timeout(of_request, name, 150, doing)
        check_timeout(of_handle, name, 400, doing)

    with contextlib.ExitStack() as stack:
        port, stream = stack.enter_context(unreachable_port()), stack.enter_context(streaming((0, DELTA)))
        gateway = stack.enter_context(ScriptedGateway(one_route(stall, CHAT_ROUTE)))
        rows = [
            ("timeout_ms", gateway.url, "send", "while waiting for the response"),
            ("first_byte_timeout_ms", gateway.url, "send", "while waiting for the response"),
            ("connect_timeout_ms", f"http://{HOST}:{port}", "send", f"while connecting to {HOST}:{port}"),
            ("idle_timeout_ms", stream.url, "callback", "while waiting for the next event"),
            ("stream_timeout_ms", stream.url, "callback", "while waiting for the next event"),
        ]
        run_in_parallel(check, rows)


@three_attempts
def test_all_attempts_and_pauses_share_one_deadline() -> None:
    refusals = 0

    def reject_twice(handler: Handler, request: Request) -> None:
        nonlocal refusals
        refusals += 1
        if refusals > 2:
            handler.stall()
        time.sleep(0.1)
        handler.respond(503, {"detail": "not now"})

    retries = ("handle-option max_retries=9", "handle-option retry_backoff_ms=20")
    with ScriptedGateway(one_route(reject_twice, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, *retries, "handle-option timeout_ms=500", "prompt hi", "send")
    check_timeout(outcome, "timeout_ms", 500, "while waiting for the response")
    assert outcome.error_attempts == 3 and outcome.message.endswith("; tried 3 times"), outcome.message


@three_attempts
def test_connect_timeout_ms_applies_to_each_attempt() -> None:
    retries = ("handle-option max_retries=2", "handle-option retry_backoff_ms=1", "handle-option timeout_ms=8000")
    with unreachable_port() as port:
        outcome = perform(
            f"http://{HOST}:{port}", *retries, "handle-option connect_timeout_ms=150", "prompt hi", "send"
        )
    check_timeout(outcome, "connect_timeout_ms", 150, f"while connecting to {HOST}:{port}", took=450)
    assert outcome.message.endswith("; tried 3 times"), outcome.message


@three_attempts
def test_batches_of_embeddings_share_one_deadline() -> None:
    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.15)
        handler.respond(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})

    with ScriptedGateway(one_route(slow, EMBEDDINGS_ROUTE)) as gateway:
        for concurrency in (1, 3):
            commands = ("inputs 30", "option embed_batch_size=1", f"option embed_concurrency={concurrency}")
            outcome = perform(gateway.url, "handle-option timeout_ms=400", *commands, "embed")
            check_timeout(outcome, "timeout_ms", 400, "while waiting for the response")
