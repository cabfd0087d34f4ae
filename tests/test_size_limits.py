"""Size limits: a hostile server exceeds each limit, and the memory of the client stays bounded."""

import contextlib
import gzip
import socket
from collections.abc import Callable
from typing import NamedTuple

import pytest
from support.builds import CHECKED, SHARED, Build
from support.event_streams import chunk, events, framed
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    listening,
)
from support.timing import three_attempts

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
MIB = 1024 * 1024
PIECE = 64 * 1024
TIME_MS = 20_003
FIXED_KIB = 6 * 1024
"""Memory of every call: buffers, and library pages that it touches first."""

TEXT_OPERATIONS = ("call", "send")
STREAM_OPERATIONS = ("stream", "callback")


class Result(NamedTuple):
    """The result of a call, and its peak memory."""

    status: str
    peak_kib: int
    text_bytes: int
    message: str


def call_hostile(
    gateway: ScriptedGateway, operation: str, *options: str, megabytes: int = 0, build: Build = SHARED
) -> Result:
    """Performs an operation with a timeout that no response here reaches: limits must end the call, not time."""
    done = build.run("test_limits.c", gateway.url, operation, str(megabytes), f"timeout_ms={TIME_MS}", *options)
    assert (done.returncode, done.stderr) == (0, ""), (operation, options, megabytes, done.stderr[-500:])
    status, peak, text_bytes, message = done.stdout.rstrip("\n").split(" ", 3)
    return Result(status, int(peak), int(text_bytes), message)


def route_for(operation: str) -> dict:
    return EMBEDDINGS_ROUTE if operation == "embed" else CHAT_ROUTE


Respond = Callable[[Handler, Request], None]


def hostile(respond: Respond, operation: str = "send") -> ScriptedGateway:
    """A gateway that responds to this operation by `respond`, and normally to discovery."""

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST" or (operation == "list" and request.path == "/api/2.0/endpoints/"):
            respond(handler, request)
        else:
            handler.respond(200, route_for(operation))

    return ScriptedGateway(script)


class Endless:
    """Writes pieces until the client closes the connection, and counts the bytes sent."""

    def __init__(self, head: bytes, piece: bytes, maximum: int = 1 << 40) -> None:
        self.head, self.piece, self.maximum = head, piece, maximum
        self.sent = 0

    def __call__(self, handler: Handler, request: Request) -> None:
        self.sent = 0
        with contextlib.suppress(OSError):
            handler.wfile.write(self.head)
            while self.sent < self.maximum:
                handler.wfile.write(self.piece)
                handler.wfile.flush()
                self.sent += len(self.piece)
            handler.stall()
        handler.close_connection = True


def check_too_large(result: Result, option: str, limit: int, kib: int) -> None:
    assert result.status == "RESPONSE_TOO_LARGE", result
    assert option in result.message and str(limit) in result.message and str(TIME_MS) not in result.message, (
        result.message
    )
    assert result.peak_kib <= kib + FIXED_KIB, result


# Complete responses


def chunks(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
JSON_BEGINS = b'{"choices":[{"message":{"content":"'
ENDLESS_BODIES = {
    "a length": Endless(OK + b"Content-Length: 1000000000000\r\n\r\n" + JSON_BEGINS, b"x" * PIECE),
    "until close": Endless(OK + b"\r\n" + JSON_BEGINS, b"x" * PIECE),
    "chunks": Endless(CHUNKED + chunks(JSON_BEGINS), chunks(b"x" * 1000) * 64),
    "chunks of a byte": Endless(CHUNKED + chunks(JSON_BEGINS), chunks(b"x") * 10_000),
    "a huge chunk": Endless(CHUNKED + b"ffffffffffffff\r\n" + JSON_BEGINS, b"x" * PIECE),
    "spaces": Endless(OK + b"\r\n", b" " * PIECE),
}


@pytest.mark.parametrize("operation", [*TEXT_OPERATIONS, *STREAM_OPERATIONS, "embed", "list"])
def test_body_beyond_max_response_bytes_is_too_large(operation: str) -> None:
    for name, endless in ENDLESS_BODIES.items():
        with hostile(endless, operation) as gateway:
            check_too_large(
                call_hostile(gateway, operation, f"max_response_bytes={MIB}"), "max_response_bytes", MIB, 3 * 1024
            )
        # Only the socket buffers hold more than what was read.
        assert endless.sent < 16 * MIB, name
    with hostile(ENDLESS_BODIES["a length"], operation) as gateway:
        call_hostile(gateway, operation, "max_response_bytes=1024")
        assert ENDLESS_BODIES["a length"].sent < 8 * MIB, "a body announced as too long is not read"


def test_max_response_bytes_defaults_to_256_mib() -> None:
    """A body announced as longer is rejected at once."""
    with hostile(Endless(OK + b"Content-Length: %d\r\n\r\n" % (256 * MIB + 1), b"x" * PIECE)) as gateway:
        check_too_large(call_hostile(gateway, "send"), "max_response_bytes", 256 * MIB, 1024)


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_body_of_exactly_max_response_bytes_is_accepted(framing: str) -> None:
    limit = 5000
    for length in (limit, limit + 1):
        body = JSON_BEGINS + b"x" * (length - len(JSON_BEGINS) - 5) + b'"}}]}'
        assert len(body) == length

        def respond(handler: Handler, request: Request) -> None:
            heads = {"length": OK + b"Content-Length: %d\r\n\r\n" % length, "chunked": CHUNKED}
            handler.raw(heads.get(framing, OK + b"\r\n") + framed(body, framing))

        with hostile(respond) as gateway:
            for operation in TEXT_OPERATIONS:
                result = call_hostile(gateway, operation, f"max_response_bytes={limit}")
                if length == limit:
                    assert (result.status, result.text_bytes) == ("OK", length - len(JSON_BEGINS) - 5), result
                else:
                    check_too_large(result, "max_response_bytes", limit, 1024)


def test_endless_error_body_is_cut_off() -> None:
    """The error keeps only the beginning."""
    for status in (400, 404, 429, 503):
        endless = Endless(b"HTTP/1.1 %d No\r\n\r\n" % status, b"x" * PIECE)
        with hostile(endless) as gateway:
            for operation in (*TEXT_OPERATIONS, *STREAM_OPERATIONS):
                result = call_hostile(gateway, operation, f"max_response_bytes={MIB}", "max_retries=0")
                assert result.status not in ("OK", "STREAM_END", "TIMEOUT"), result
                assert result.peak_kib < 4 * 1024 + FIXED_KIB and len(result.message) < 5000, result
            assert endless.sent < 16 * MIB


HUGE = 12 * MIB
MANY_VALUES = {
    "numbers": (b'{"detail":[', b"0,", b"0]}"),
    "lists": (b'{"detail":[', b"[],", b"0]}"),
    "objects": (b'{"detail":[', b'{"a":0},', b"0]}"),
    "keys": (b'{"x":0', b',"aaaaaaaa":0', b"}"),
}
"""Few bytes of JSON that become many in memory if parsed into a tree."""


@pytest.mark.parametrize("kind", MANY_VALUES)
@pytest.mark.parametrize("operation", ["send", "stream", "embed", "list"])
def test_json_takes_at_most_a_few_times_its_length_in_memory(kind: str, operation: str) -> None:
    begins, piece, ends = MANY_VALUES[kind]
    body = begins + piece * (HUGE // len(piece)) + ends
    for status in (200, 400):
        with hostile(lambda handler, request: handler.respond(status, body), operation) as gateway:
            result = call_hostile(gateway, operation, "max_retries=0")
        assert result.status in ("BAD_REQUEST", "BAD_RESPONSE", "RESPONSE_TOO_LARGE"), result
        assert result.peak_kib < 3 * HUGE / 1024 + FIXED_KIB, (status, result)


# Heads


ENDLESS_HEADS = {
    "lines": Endless(OK, b"X-Line: " + b"y" * 1000 + b"\r\n"),
    "a line": Endless(OK + b"X-Line: ", b"y" * 1000),
    "a name": Endless(OK, b"X" * 1000),
    "spaces": Endless(OK + b"X:", b" " * 1000),
    "the first line": Endless(b"HTTP/1.1 200 ", b"O" * 1000),
    "other heads": Endless(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
    "hints": Endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 900 + b"\r\n\r\n"),
}


@pytest.mark.parametrize("name", ENDLESS_HEADS)
def test_head_beyond_max_header_bytes_is_too_large(name: str) -> None:
    endless = ENDLESS_HEADS[name]
    with hostile(endless) as gateway:
        check_too_large(call_hostile(gateway, "send"), "max_header_bytes", 16 * 1024, 512)
        for operation in ("call", "stream"):
            check_too_large(call_hostile(gateway, operation, "max_header_bytes=65536"), "max_header_bytes", 65536, 512)
    for operation in ("embed", "list"):
        with hostile(endless, operation) as gateway:
            check_too_large(call_hostile(gateway, operation, "max_header_bytes=2048"), "max_header_bytes", 2048, 512)


def test_head_of_exactly_max_header_bytes_is_accepted() -> None:
    body = b'{"choices":[{"message":{"content":"x"}}]}'
    for limit in (1024, 16384, 65536):
        for length in (limit, limit + 1):
            start = OK + b"Content-Length: %d\r\nX: " % len(body)
            whole = start + b"y" * (length - len(start) - 4) + b"\r\n\r\n"
            assert len(whole) == length
            with hostile(lambda handler, request: handler.raw(whole + body)) as gateway:
                result = call_hostile(gateway, "send", f"max_header_bytes={limit}")
            if length == limit:
                assert (result.status, result.text_bytes) == ("OK", 1), result
            else:
                check_too_large(result, "max_header_bytes", limit, 512)


TRAILERS = {
    "lines": Endless(CHUNKED + b"0\r\n", b"X-Line: y\r\n" * 100),
    "a line": Endless(CHUNKED + b"0\r\nX-Line: ", b"y" * 1000),
    "a chunk's line": Endless(CHUNKED + b"5;x=", b"y" * 1000),
    "a chunk's digits": Endless(CHUNKED, b"0" * 1000),
}


@pytest.mark.parametrize("name", TRAILERS)
def test_endless_trailers_and_chunk_lines_are_rejected(name: str) -> None:
    endless = TRAILERS[name]
    for operation in ("send", "stream"):
        with hostile(endless, operation) as gateway:
            result = call_hostile(gateway, operation)
        assert result.status in ("RESPONSE_TOO_LARGE", "BAD_RESPONSE"), result
        assert result.peak_kib < FIXED_KIB and endless.sent < 16 * MIB, result


def test_endless_head_of_a_proxy_is_rejected() -> None:
    def proxy(connection: socket.socket) -> None:
        connection.recv(4096)
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                connection.sendall(b"X-Line: y\r\n" * 100)

    with listening(proxy) as port:
        options = (f"timeout_ms={TIME_MS}", f"proxy=http://{HOST}:{port}")
        done = SHARED.run("test_limits.c", f"https://{HOST}:1", "send", "0", *options)
    status, peak, _, message = done.stdout.split(" ", 3)
    assert status in ("PROXY_FAILED", "RESPONSE_TOO_LARGE") and int(peak) < FIXED_KIB, done.stdout
    assert str(TIME_MS) not in message


# Events and gathered streams


EVENT_STREAM = OK + b"Content-Type: text/event-stream\r\n\r\n"
ENDLESS_EVENTS = {
    "a line": Endless(EVENT_STREAM + b'data: {"x":"', b"y" * PIECE),
    "lines": Endless(EVENT_STREAM, b"data: [[[[[[[[\n" * 4096),
    "empty lines of data": Endless(EVENT_STREAM, b"data\n" * 4096),
    "a comment": Endless(EVENT_STREAM + b": ", b"y" * PIECE),
    "a field": Endless(EVENT_STREAM + b"event: ", b"y" * PIECE),
    "a field's name": Endless(EVENT_STREAM, b"y" * PIECE),
}


@pytest.mark.parametrize("name", ENDLESS_EVENTS)
def test_event_beyond_max_event_bytes_is_too_large(name: str) -> None:
    endless = ENDLESS_EVENTS[name]
    for operation in STREAM_OPERATIONS:
        for gathers in ("true", "false"):
            with hostile(endless) as gateway:
                result = call_hostile(gateway, operation, f"max_event_bytes={MIB}", f"gather_stream={gathers}")
            check_too_large(result, "max_event_bytes", MIB, 3 * 1024)
            assert endless.sent < 16 * MIB


FRAGMENT = {"index": 0, "function": {"arguments": "x" * 1000}}
ENDLESS_DELTAS = {
    "texts": events(chunk("x" * 1000)),
    "escaped texts": events(chunk("\x01" * 300)),
    "short texts": events(chunk("x")) * 100,
    "calls of tools": events(chunk(None, tool_calls=[FRAGMENT])),
    "candidates": "".join(events(chunk("x" * 100, index=number)) for number in range(100)),
    "roles": events(chunk(None, role="x" * 1000)),
    "reasons": events(chunk(None, finish_reason="x" * 1000)),
    "names": events({**chunk("x"), "model": "x" * 1000}),
}


@pytest.mark.parametrize("operation", STREAM_OPERATIONS)
@pytest.mark.parametrize("name", list(ENDLESS_DELTAS)[:5])
def test_gathered_stream_beyond_max_gathered_bytes_is_too_large(name: str, operation: str) -> None:
    with hostile(Endless(EVENT_STREAM, ENDLESS_DELTAS[name].encode() * 10)) as gateway:
        result = call_hostile(gateway, operation, f"max_gathered_bytes={MIB}")
    check_too_large(result, "max_gathered_bytes", MIB, 4 * 1024)
    assert name == "calls of tools" or MIB / 2 < result.text_bytes <= MIB + 1000, result


def long_stream(name: str) -> Respond:
    """Sends 16 MB of the same events, and the end."""
    piece = ENDLESS_DELTAS[name].encode() * 50

    def respond(handler: Handler, request: Request) -> None:
        handler.wfile.write(EVENT_STREAM)
        for _ in range(16 * MIB // len(piece)):
            handler.wfile.write(piece)
        handler.raw(events("[DONE]").encode())

    return respond


@pytest.mark.parametrize("name", ENDLESS_DELTAS)
def test_stream_that_is_not_gathered_takes_constant_memory(name: str) -> None:
    with hostile(long_stream(name)) as gateway:
        for operation in STREAM_OPERATIONS:
            result = call_hostile(gateway, operation, "gather_stream=false", "max_gathered_bytes=1024")
            assert result.status in ("STREAM_END", "OK"), result
            assert result.peak_kib < FIXED_KIB, result


@pytest.mark.parametrize("name", ["roles", "reasons", "names"])
def test_repeated_fields_of_a_stream_are_kept_once(name: str) -> None:
    with hostile(long_stream(name)) as gateway:
        result = call_hostile(gateway, "callback")
    assert result.status == "OK" and result.peak_kib < FIXED_KIB, result


# Compression


BOMB = gzip.compress(b"0" * (32 * MIB), 1)
"""A decompression bomb."""
COMPRESSED = (
    "Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br", "content-encoding: GZIP, identity",
    "Transfer-Encoding: gzip, chunked",
)  # fmt: skip


@pytest.mark.parametrize("operation", ["send", "stream", "embed", "list"])
def test_compressed_response_is_bad_response_and_not_read(operation: str) -> None:
    for header in COMPRESSED:
        received: list[Request] = []

        def respond(handler: Handler, request: Request) -> None:
            received.append(request)
            length = "" if "chunked" in header else f"Content-Length: {len(BOMB)}\r\n"
            handler.raw(OK + f"{header}\r\n{length}Content-Type: text/event-stream\r\n\r\n".encode() + BOMB)

        with hostile(respond, operation) as gateway:
            result = call_hostile(gateway, operation, "max_retries=3")
        assert result.status == "BAD_RESPONSE" and result.peak_kib < FIXED_KIB, (header, result)
        (request,) = received
        accepted = {name.lower(): value for name, value in request.headers.items()}.get("accept-encoding", "identity")
        assert accepted == "identity", "compression is never requested"


def test_content_encoding_identity_is_accepted() -> None:
    body = b'{"choices":[{"message":{"content":"x"}}]}'
    with hostile(lambda handler, request: handler.respond(200, body, {"Content-Encoding": "identity"})) as gateway:
        assert call_hostile(gateway, "send").status == "OK"


# Out of memory


def text(content: bytes) -> bytes:
    return JSON_BEGINS + content + b'"}}]}'


BIG = 16 * MIB
ENDS = ("OUT_OF_MEMORY", "OK", "STREAM_END", "BAD_RESPONSE", "NO_CANDIDATES")
BIG_RESPONSES: dict[str, tuple[tuple[str, ...], Callable[[], bytes]]] = {
    "text": (("call", "send", "stream"), lambda: text(b"x" * BIG)),
    "escaped text": (("call", "stream"), lambda: text(b"\\n" + b"x" * BIG)),
    "escapes": (("send",), lambda: text(b"\\u00e9" * (BIG // 6))),
    "parts": (("send",), lambda: text(b"").replace(b'""', b'[{"type":"text","text":"%s"}]' % (b"x" * BIG))),
    "role": (("send",), lambda: text(b"").replace(b'""', b'"","role":"\\n%s"' % (b"x" * BIG))),
    "model": (("send",), lambda: text(b"x")[:-1] + b',"model":"\\n%s"}' % (b"x" * BIG)),
    "a key": (("send",), lambda: text(b"x")[:-1] + b',"\\n%s":1}' % (b"x" * BIG)),
    "arguments": (
        ("send",),
        lambda: text(b"").replace(b'""', b'null,"tool_calls":[{"function":{"arguments":"\\n%s"}}]' % (b"x" * BIG)),
    ),
    "numbers": (("embed",), lambda: b'{"data":[{"embedding":[%s1]}]}' % (b"1," * (BIG // 2))),
    "base64": (("embed",), lambda: b'{"data":[{"embedding":"%s"}]}' % (b"AAAA" * (BIG // 12 * 3))),
    "vectors": (("embed",), lambda: b'{"data":[%s{"embedding":[1]}]}' % (b'{"embedding":[1]},' * (BIG // 18))),
    "not JSON": (("send", "stream"), lambda: b"x" * BIG),
}


@pytest.mark.parametrize("name", BIG_RESPONSES)
def test_response_beyond_available_memory_is_out_of_memory(name: str) -> None:
    """If any part does not fit into memory, the call reports it and the process survives."""
    operations, make = BIG_RESPONSES[name]
    body = make()
    for operation in operations:
        statuses = set()
        with hostile(lambda handler, request: handler.respond(200, body), operation) as gateway:
            for megabytes in (8, *range(18, 66, 6), 200):
                result = call_hostile(gateway, operation, megabytes=megabytes)
                statuses.add(result.status)
                assert result.status in ENDS, (megabytes, result)
        assert "OUT_OF_MEMORY" in statuses and len(statuses) > 1, statuses


ESCAPED_FRAGMENT = {"index": 0, "function": {"arguments": "\n" + "x" * 10_000}}
BIG_STREAMS: dict[str, tuple[bytes, bytes]] = {
    "deltas": (b"", events(chunk("x" * 10_000)).encode() * 10),
    "escaped deltas": (b"", events(chunk("\n" + "x" * 10_000)).encode() * 10),
    "arguments": (b"", events(chunk(None, tool_calls=[ESCAPED_FRAGMENT])).encode()),
    "an event": (b'data: {"choices":[{"delta":{"content":"', b"x" * PIECE),
    "an escaped event": (b'data: {"choices":[{"delta":{"content":"\\n', b"x" * PIECE),
    "an event of lines": (b"data: {\n", b"data: " + b" " * 1000 + b"\n"),
}


@pytest.mark.parametrize("name", BIG_STREAMS)
def test_stream_beyond_available_memory_is_out_of_memory(name: str) -> None:
    begins, piece = BIG_STREAMS[name]
    ends = b'"}}]}\n\n' if name.endswith("event") else b"\n\n"

    def respond(handler: Handler, request: Request) -> None:
        handler.wfile.write(EVENT_STREAM + begins)
        for _ in range(BIG // len(piece)):
            handler.wfile.write(piece)
        handler.raw(ends + events("[DONE]").encode())

    statuses = set()
    with hostile(respond) as gateway:
        for megabytes in (8, *range(18, 54, 6), 200):
            for operation in STREAM_OPERATIONS:
                result = call_hostile(gateway, operation, "max_event_bytes=1073741824", megabytes=megabytes)
                statuses.add(result.status)
                assert result.status in ENDS, (megabytes, result)
    assert "OUT_OF_MEMORY" in statuses and len(statuses) > 1, statuses


@three_attempts
def test_announced_length_allocates_no_memory() -> None:
    """Memory is allocated for bytes received, not for bytes announced."""
    for length in (1 << 36, (1 << 40) - 1):
        respond = Endless(OK + b"Content-Length: %d\r\n\r\n" % length, b"x" * 1000, maximum=1000)
        with hostile(respond) as gateway:
            result = call_hostile(gateway, "send", "max_response_bytes=1099511627776", "timeout_ms=1000")
        assert result.status in ("OUT_OF_MEMORY", "TIMEOUT") and result.peak_kib < FIXED_KIB, result


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_exceeded_limits_are_memory_safe(build: Build) -> None:
    texts, calls = (ENDLESS_DELTAS[name].encode() * 10 for name in ("texts", "calls of tools"))
    rows = [
        ("send", ENDLESS_BODIES["chunks"], "max_response_bytes=100000"),
        ("stream", ENDLESS_BODIES["until close"], "max_response_bytes=100000"),
        ("send", ENDLESS_HEADS["lines"], "max_header_bytes=2048"),
        ("stream", ENDLESS_EVENTS["lines"], "max_event_bytes=100000"),
        ("callback", Endless(EVENT_STREAM, texts), "max_gathered_bytes=100000"),
        ("callback", Endless(EVENT_STREAM, calls), "max_gathered_bytes=100000"),
        ("embed", ENDLESS_BODIES["a length"], "max_response_bytes=100000"),
        ("list", ENDLESS_BODIES["chunks"], "max_response_bytes=100000"),
    ]  # fmt: skip
    for operation, endless, option in rows:
        with hostile(endless, operation) as gateway:
            result = call_hostile(gateway, operation, option, build=build)
        assert result.status == "RESPONSE_TOO_LARGE" and option.split("=")[0] in result.message, result
