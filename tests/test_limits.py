"""Limits: a hostile server meets each of them, and gets no more memory than it may have."""

import contextlib
import gzip
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from support.builds import CHECKED, SHARED, Build
from support.certificates import Authority
from support.event_streams import chunk, events, framed
from support.operations import perform
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    echo,
    listening,
    one_route,
)

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
MIB = 1024 * 1024
PIECE = 64 * 1024
TIME_MS = 20_003
FIXED_KIB = 6 * 1024
"""What a call takes whatever it gets: buffers, and pages of the libraries that it is the first to touch."""

TEXTS = ("call", "send")
STREAMS = ("stream", "callback")


class Came(NamedTuple):
    """What came of a call, and what it took."""

    status: str
    peak_kib: int
    text_bytes: int
    message: str


def ask_hostile(
    gateway: ScriptedGateway, way: str, *options: str, megabytes: int = 0, build: Build = SHARED
) -> Came:
    """Asks with some seconds of time, which no answer here needs: what ends by time would be no limit."""
    done = build.run("test_limits.c", gateway.url, way, str(megabytes), f"timeout_ms={TIME_MS}", *options)
    assert (done.returncode, done.stderr) == (0, ""), (way, options, megabytes, done.stderr[-500:])
    status, peak, text_bytes, message = done.stdout.rstrip("\n").split(" ", 3)
    return Came(status, int(peak), int(text_bytes), message)


def route_for(way: str) -> dict:
    return EMBEDDINGS_ROUTE if way == "embed" else CHAT_ROUTE


Answer = Callable[[Handler, Request], None]


def hostile(answer: Answer, way: str = "send") -> ScriptedGateway:
    """A gateway that does this to what is asked in this way, and answers well to whoever asks what it is."""

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST" or (way == "list" and request.path == "/api/2.0/endpoints/"):
            answer(handler, request)
        else:
            handler.respond(200, route_for(way))

    return ScriptedGateway(script)


class Endless:
    """Writes pieces for ever, or until somebody closes. It counts the bytes that were taken from it."""

    def __init__(self, head: bytes, piece: bytes, most: int = 1 << 40) -> None:
        self.head, self.piece, self.most = head, piece, most
        self.sent = 0

    def __call__(self, handler: Handler, request: Request) -> None:
        self.sent = 0
        with contextlib.suppress(OSError):
            handler.wfile.write(self.head)
            while self.sent < self.most:
                handler.wfile.write(self.piece)
                handler.wfile.flush()
                self.sent += len(self.piece)
            handler.stall()
        handler.close_connection = True


def check_too_large(came: Came, option: str, limit: int, kib: int) -> None:
    assert came.status == "RESPONSE_TOO_LARGE", came
    assert option in came.message and str(limit) in came.message and str(TIME_MS) not in came.message, came.message
    assert came.peak_kib <= kib + FIXED_KIB, came


# The whole answer


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


@pytest.mark.parametrize("way", [*TEXTS, *STREAMS, "embed", "list"])
def test_an_answer_has_an_end(way: str) -> None:
    for name, endless in ENDLESS_BODIES.items():
        with hostile(endless, way) as gateway:
            check_too_large(ask_hostile(gateway, way, f"max_response_bytes={MIB}"), "max_response_bytes", MIB, 3 * 1024)
        # Beyond what was read there is only what lies in the sockets' buffers.
        assert endless.sent < 16 * MIB, name
    with hostile(ENDLESS_BODIES["a length"], way) as gateway:
        ask_hostile(gateway, way, "max_response_bytes=1024")
        assert ENDLESS_BODIES["a length"].sent < 8 * MIB, "what says that it is too long is not read"


def test_the_default_is_a_quarter_of_a_gibibyte() -> None:
    """A body of that length is taken, as far as the limit goes; one that says that it is longer is refused at once."""
    with hostile(Endless(OK + b"Content-Length: %d\r\n\r\n" % (256 * MIB + 1), b"x" * PIECE)) as gateway:
        check_too_large(ask_hostile(gateway, "send"), "max_response_bytes", 256 * MIB, 1024)


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_the_last_byte_that_is_allowed(framing: str) -> None:
    limit = 5000
    for length in (limit, limit + 1):
        body = JSON_BEGINS + b"x" * (length - len(JSON_BEGINS) - 5) + b'"}}]}'
        assert len(body) == length

        def answer(handler: Handler, request: Request) -> None:
            heads = {"length": OK + b"Content-Length: %d\r\n\r\n" % length, "chunked": CHUNKED}
            handler.raw(heads.get(framing, OK + b"\r\n") + framed(body, framing))

        with hostile(answer) as gateway:
            for way in TEXTS:
                came = ask_hostile(gateway, way, f"max_response_bytes={limit}")
                if length == limit:
                    assert (came.status, came.text_bytes) == ("OK", length - len(JSON_BEGINS) - 5), came
                else:
                    check_too_large(came, "max_response_bytes", limit, 1024)


def test_a_refusal_has_an_end() -> None:
    """What an error keeps of it is little; the words in it are understood, if they come soon."""
    for status in (400, 404, 429, 503):
        endless = Endless(b"HTTP/1.1 %d No\r\n\r\n" % status, b"x" * PIECE)
        with hostile(endless) as gateway:
            for way in (*TEXTS, *STREAMS):
                came = ask_hostile(gateway, way, f"max_response_bytes={MIB}", "max_retries=0")
                assert came.status not in ("OK", "STREAM_END", "TIMEOUT"), came
                assert came.peak_kib < 4 * 1024 + FIXED_KIB and len(came.message) < 5000, came
            assert endless.sent < 16 * MIB


HUGE = 12 * MIB
SPRAWLING = {
    "numbers": (b'{"detail":[', b"0,", b"0]}"),
    "lists": (b'{"detail":[', b"[],", b"0]}"),
    "objects": (b'{"detail":[', b'{"a":0},', b"0]}"),
    "keys": (b'{"x":0', b',"aaaaaaaa":0', b"}"),
}
"""Few bytes of JSON become many in memory, for those who make a tree of it."""


@pytest.mark.parametrize("kind", SPRAWLING)
@pytest.mark.parametrize("way", ["send", "stream", "embed", "list"])
def test_no_json_takes_much_more_than_its_own_length(kind: str, way: str) -> None:
    begins, piece, ends = SPRAWLING[kind]
    body = begins + piece * (HUGE // len(piece)) + ends
    for status in (200, 400):
        with hostile(lambda handler, request: handler.respond(status, body), way) as gateway:
            came = ask_hostile(gateway, way, "max_retries=0")
        assert came.status in ("BAD_REQUEST", "BAD_RESPONSE", "RESPONSE_TOO_LARGE"), came
        assert came.peak_kib < 3 * HUGE / 1024 + FIXED_KIB, (status, came)


# The head


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
def test_a_head_has_an_end(name: str) -> None:
    endless = ENDLESS_HEADS[name]
    with hostile(endless) as gateway:
        check_too_large(ask_hostile(gateway, "send"), "max_header_bytes", 16 * 1024, 512)
        for way in ("call", "stream"):
            check_too_large(ask_hostile(gateway, way, "max_header_bytes=65536"), "max_header_bytes", 65536, 512)
    for way in ("embed", "list"):
        with hostile(endless, way) as gateway:
            check_too_large(ask_hostile(gateway, way, "max_header_bytes=2048"), "max_header_bytes", 2048, 512)


def test_the_last_byte_of_a_head_that_is_allowed() -> None:
    body = b'{"choices":[{"message":{"content":"x"}}]}'
    for limit in (1024, 16384, 65536):
        for length in (limit, limit + 1):
            start = OK + b"Content-Length: %d\r\nX: " % len(body)
            whole = start + b"y" * (length - len(start) - 4) + b"\r\n\r\n"
            assert len(whole) == length
            with hostile(lambda handler, request: handler.raw(whole + body)) as gateway:
                came = ask_hostile(gateway, "send", f"max_header_bytes={limit}")
            if length == limit:
                assert (came.status, came.text_bytes) == ("OK", 1), came
            else:
                check_too_large(came, "max_header_bytes", limit, 512)


TRAILERS = {
    "lines": Endless(CHUNKED + b"0\r\n", b"X-Line: y\r\n" * 100),
    "a line": Endless(CHUNKED + b"0\r\nX-Line: ", b"y" * 1000),
    "a chunk's line": Endless(CHUNKED + b"5;x=", b"y" * 1000),
    "a chunk's digits": Endless(CHUNKED, b"0" * 1000),
}


@pytest.mark.parametrize("name", TRAILERS)
def test_what_is_around_chunks_has_an_end(name: str) -> None:
    endless = TRAILERS[name]
    for way in ("send", "stream"):
        with hostile(endless, way) as gateway:
            came = ask_hostile(gateway, way)
        assert came.status in ("RESPONSE_TOO_LARGE", "BAD_RESPONSE"), came
        assert came.peak_kib < FIXED_KIB and endless.sent < 16 * MIB, came


def test_the_answer_of_a_proxy_has_an_end() -> None:
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


# Events, and what is kept of them


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
def test_an_event_has_an_end(name: str) -> None:
    endless = ENDLESS_EVENTS[name]
    for way in STREAMS:
        for gathers in ("true", "false"):
            with hostile(endless) as gateway:
                came = ask_hostile(gateway, way, f"max_event_bytes={MIB}", f"gather_stream={gathers}")
            check_too_large(came, "max_event_bytes", MIB, 3 * 1024)
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


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("name", list(ENDLESS_DELTAS)[:5])
def test_what_is_gathered_has_an_end(name: str, way: str) -> None:
    with hostile(Endless(EVENT_STREAM, ENDLESS_DELTAS[name].encode() * 10)) as gateway:
        came = ask_hostile(gateway, way, f"max_gathered_bytes={MIB}")
    check_too_large(came, "max_gathered_bytes", MIB, 4 * 1024)
    assert name == "calls of tools" or MIB / 2 < came.text_bytes <= MIB + 1000, came


def long_stream(name: str) -> Answer:
    """Sixteen megabytes of the same, and an end."""
    piece = ENDLESS_DELTAS[name].encode() * 50

    def answer(handler: Handler, request: Request) -> None:
        handler.wfile.write(EVENT_STREAM)
        for _ in range(16 * MIB // len(piece)):
            handler.wfile.write(piece)
        handler.raw(events("[DONE]").encode())

    return answer


@pytest.mark.parametrize("name", ENDLESS_DELTAS)
def test_a_stream_that_is_not_gathered_takes_no_memory(name: str) -> None:
    with hostile(long_stream(name)) as gateway:
        for way in STREAMS:
            came = ask_hostile(gateway, way, "gather_stream=false", "max_gathered_bytes=1024")
            assert came.status in ("STREAM_END", "OK"), came
            assert came.peak_kib < FIXED_KIB, came


@pytest.mark.parametrize("name", ["roles", "reasons", "names"])
def test_what_is_said_often_is_kept_once(name: str) -> None:
    with hostile(long_stream(name)) as gateway:
        came = ask_hostile(gateway, "callback")
    assert came.status == "OK" and came.peak_kib < FIXED_KIB, came


# Compression, which nobody asked for


BOMB = gzip.compress(b"0" * (32 * MIB), 1)
"""Few bytes that would become many."""
COMPRESSED = (
    "Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br", "content-encoding: GZIP, identity",
    "Transfer-Encoding: gzip, chunked",
)  # fmt: skip


@pytest.mark.parametrize("way", ["send", "stream", "embed", "list"])
def test_what_is_compressed_is_not_read(way: str) -> None:
    for header in COMPRESSED:
        asked: list[Request] = []

        def answer(handler: Handler, request: Request) -> None:
            asked.append(request)
            length = "" if "chunked" in header else f"Content-Length: {len(BOMB)}\r\n"
            handler.raw(OK + f"{header}\r\n{length}Content-Type: text/event-stream\r\n\r\n".encode() + BOMB)

        with hostile(answer, way) as gateway:
            came = ask_hostile(gateway, way, "max_retries=3")
        assert came.status == "BAD_RESPONSE" and came.peak_kib < FIXED_KIB, (header, came)
        (request,) = asked
        accepted = {name.lower(): value for name, value in request.headers.items()}.get("accept-encoding", "identity")
        assert accepted == "identity", "none is ever asked for"


def test_what_is_not_compressed_may_say_so() -> None:
    body = b'{"choices":[{"message":{"content":"x"}}]}'
    with hostile(lambda handler, request: handler.respond(200, body, {"Content-Encoding": "identity"})) as gateway:
        assert ask_hostile(gateway, "send").status == "OK"


# Redirects


GOOD = {"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
SECRET = "handle-option bearer_token=hunter2hunter2"


def moving(status: int, *places: str) -> ScriptedGateway:
    """A gateway that sends each question on, from place to place; where there is no more, it answers."""
    left = list(places)

    def answer(handler: Handler, request: Request) -> None:
        if left:
            handler.respond(status, "", {"Location": left.pop(0)})
        else:
            handler.respond(200, GOOD)

    return hostile(answer)


@pytest.mark.parametrize("status", [307, 308])
def test_a_question_is_sent_on(status: int) -> None:
    for way in ("call hi", "send", "stream", "callback"):
        with moving(status, "/elsewhere/a%20b", "/there?x=1") as gateway:
            outcome = perform(gateway.url, SECRET, "handle-option max_redirects=2", "prompt hi", way)
            assert outcome.status in ("OK", "STREAM_END"), outcome
            posts = [request for request in gateway.requests if request.method == "POST"]
        assert [request.path for request in posts] == ["/endpoints/r/invocations", "/elsewhere/a%20b", "/there?x=1"]
        assert len({request.body for request in posts}) == 1, "with all of it"
        assert {request.headers["authorization"] for request in posts} == {"Bearer hunter2hunter2"}
        if outcome.response:
            assert outcome.response.attempts == 3 and len(outcome.response.retries) == 2, outcome.response


def test_a_redirect_is_not_followed_unless_that_is_allowed() -> None:
    for most in (None, 0, 1):
        options = [] if most is None else [f"handle-option max_redirects={most}"]
        with moving(307, "/a", "/b") as gateway:
            outcome = perform(gateway.url, *options, "prompt hi", "send")
            assert (outcome.status, outcome.error_http_status) == ("HTTP_ERROR", 307), outcome
            assert len([path for path in gateway.paths() if path.startswith("POST")]) == (most or 0) + 1
        assert outcome.error_attempts == (most or 0) + 1


def test_redirects_have_an_end() -> None:
    for place in ("", "?", "/endpoints/r/invocations", "/a"):
        with moving(308, *[place] * 99) as gateway:
            outcome = perform(gateway.url, "handle-option max_redirects=10", "prompt hi", "send")
            assert outcome.status == "HTTP_ERROR", outcome
            assert len([path for path in gateway.paths() if path.startswith("POST")]) <= 11


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 306])
def test_a_redirect_that_would_change_the_question_is_not_followed(status: int) -> None:
    with moving(status, "/a") as gateway:
        outcome = perform(gateway.url, "handle-option max_redirects=5", "prompt hi", "send")
        assert (outcome.status, outcome.error_http_status) == ("HTTP_ERROR", status), outcome
        assert len([path for path in gateway.paths() if path.startswith("POST")]) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_what_is_read_is_sent_on(status: int) -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/elsewhere":
            handler.respond(200, {"endpoints": [CHAT_ROUTE]})
        else:
            handler.respond(status, "", {"Location": "/elsewhere"})

    with ScriptedGateway(script) as gateway:
        outcome = perform(gateway.url, "handle-option dialect=deployments", "handle-option max_redirects=1", "list")
        assert outcome.status == "OK" and [route.name for route in outcome.routes] == ["r"], outcome
        outcome = perform(gateway.url, "handle-option dialect=deployments", "list")
        assert outcome.status == "HTTP_ERROR", outcome


@contextlib.contextmanager
def strangers(authority: Authority) -> Iterator[list[tuple[ScriptedGateway, str]]]:
    """Servers that are not the gateway, and how a redirect names them."""
    with ScriptedGateway(one_route(echo)) as other, ScriptedGateway(one_route(echo), authority.server(HOST)) as tls:
        yield [
            (other, other.url + "/endpoints/r/invocations"),
            (other, f"//{HOST}:{other.port}/x"),
            (other, f"http://localhost:{other.port}/x"),
            (tls, tls.url + "/x"),
        ]


def test_nobody_else_gets_a_question(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither another host, nor another port, nor the same one by another scheme; and no credentials."""
    authority = Authority(tmp_path_factory.mktemp("limits"))
    with strangers(authority) as others:
        for stranger, location in others:
            with moving(307, location) as gateway:
                options = (SECRET, "handle-option max_redirects=5", "handle-option insecure_tls=true")
                outcome = perform(gateway.url, *options, "prompt hi", "send")
                assert (outcome.status, outcome.error_http_status) == ("HTTP_ERROR", 307), (location, outcome)
            assert stranger.requests == [] and stranger.connections == 0, location
    for location in (
        "https://{host}/x", "ftp://{host}/x", "http://me:pass@{host}/x", "http://{host}@other.example/x",
        "javascript:alert(1)",
        "http://localhost:{port}/x", "http://{host}.other.example/x", "http:///x", "\\\\other.example\\x",
        "//other.example/x",
        "/\\other.example/x", "http://[::1]:{port}/x",
    ):  # fmt: skip
        with moving(307, "") as gateway:
            host = f"{HOST}:{gateway.port}"
        with moving(307, location.format(host=host, port=gateway.port)) as gateway:
            outcome = perform(gateway.url, SECRET, "handle-option max_redirects=5", "prompt hi", "send")
            posts = [path for path in gateway.paths() if path.startswith("POST")]
        assert outcome.status == "HTTP_ERROR" or len(posts) == 2, (location, outcome)
        assert "hunter2" not in str(outcome), location


def test_a_place_on_the_same_server_may_be_named_in_full() -> None:
    for form in ("{url}/x", "HTTP://{host}/x", "/x", "{url}/x#part"):
        left = [form]

        def answer(handler: Handler, request: Request) -> None:
            if left:
                location = left.pop().format(url=gateway.url, host=f"{HOST}:{gateway.port}")
                handler.respond(307, "", {"Location": location})
            else:
                handler.respond(200, GOOD)

        with hostile(answer) as gateway:
            outcome = perform(gateway.url, SECRET, "handle-option max_redirects=1", "prompt hi", "send")
            assert outcome.status == "OK", (form, outcome)
            assert gateway.paths()[-1] == "POST /x", form


def test_a_redirect_has_its_own_retries() -> None:
    def answer(handler: Handler, request: Request) -> None:
        if request.path != "/x":
            handler.respond(307, "", {"Location": "/x"})
        elif gateway.paths().count("POST /x") < 3:
            handler.respond(503, {"detail": "not now"})
        else:
            handler.respond(200, GOOD)

    options = ("handle-option max_redirects=1", "handle-option max_retries=2", "handle-option retry_backoff_ms=1")
    with hostile(answer) as gateway:
        outcome = perform(gateway.url, *options, "prompt hi", "send")
    assert outcome.status == "OK" and outcome.response.attempts == 4, outcome
    assert len(outcome.response.retries) == 3


# No memory


def text(content: bytes) -> bytes:
    return JSON_BEGINS + content + b'"}}]}'


BIG = 16 * MIB
ENDS = ("OUT_OF_MEMORY", "OK", "STREAM_END", "BAD_RESPONSE", "NO_CANDIDATES")
BIG_ANSWERS: dict[str, tuple[tuple[str, ...], Callable[[], bytes]]] = {
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


@pytest.mark.parametrize("name", BIG_ANSWERS)
def test_there_may_be_no_memory_for_an_answer(name: str) -> None:
    """Whatever of it there is no memory for: the call says so, and the process lives."""
    ways, make = BIG_ANSWERS[name]
    body = make()
    for way in ways:
        found = set()
        with hostile(lambda handler, request: handler.respond(200, body), way) as gateway:
            for megabytes in (8, *range(18, 66, 6), 200):
                came = ask_hostile(gateway, way, megabytes=megabytes)
                found.add(came.status)
                assert came.status in ENDS, (megabytes, came)
        assert "OUT_OF_MEMORY" in found and len(found) > 1, found


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
def test_there_may_be_no_memory_for_a_stream(name: str) -> None:
    begins, piece = BIG_STREAMS[name]
    ends = b'"}}]}\n\n' if name.endswith("event") else b"\n\n"

    def answer(handler: Handler, request: Request) -> None:
        handler.wfile.write(EVENT_STREAM + begins)
        for _ in range(BIG // len(piece)):
            handler.wfile.write(piece)
        handler.raw(ends + events("[DONE]").encode())

    found = set()
    with hostile(answer) as gateway:
        for megabytes in (8, *range(18, 54, 6), 200):
            for way in STREAMS:
                came = ask_hostile(gateway, way, "max_event_bytes=1073741824", megabytes=megabytes)
                found.add(came.status)
                assert came.status in ENDS, (megabytes, came)
    assert "OUT_OF_MEMORY" in found and len(found) > 1, found


def test_a_length_is_not_believed() -> None:
    """A server that announces more than there is gets nothing for it before it has sent it."""
    for length in (1 << 36, (1 << 40) - 1):
        answer = Endless(OK + b"Content-Length: %d\r\n\r\n" % length, b"x" * 1000, most=1000)
        with hostile(answer) as gateway:
            came = ask_hostile(gateway, "send", "max_response_bytes=1099511627776", "timeout_ms=1000")
        assert came.status in ("OUT_OF_MEMORY", "TIMEOUT") and came.peak_kib < FIXED_KIB, came


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_limits_leave_nothing_behind(build: Build) -> None:
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
    for way, endless, option in rows:
        with hostile(endless, way) as gateway:
            came = ask_hostile(gateway, way, option, build=build)
        assert came.status == "RESPONSE_TOO_LARGE" and option.split("=")[0] in came.message, came
