"""Connections: reuse, replacement if the server closed them, and reading of HTTP/1.1."""

import os
import socket
import time
from pathlib import Path

import pytest
from support.builds import SHARED
from support.calls import call, call_all
from support.scripted_gateway import HOST, Handler, Request, ScriptedGateway, echo, listening, one_route
from support.timing import three_attempts

TEXT = b'{"choices":[{"text":"hello"}]}'


def raw(*pieces: bytes, pause: float = 0) -> ScriptedGateway:
    """A gateway that responds with these bytes and closes the connection."""

    def reply(handler: Handler, request: Request) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)
        handler.close_connection = True

    return ScriptedGateway(one_route(reply))


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def test_one_connection_serves_many_calls_in_sequence() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert call(gateway.url, "hi", "warm=20").status == "OK"
        assert gateway.connections == 1


def test_64_threads_use_at_most_64_connections() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = SHARED.run("test_threads.c", gateway.url, "r", "64", "50")
        assert done.returncode == 0, done.stderr
        assert gateway.connections <= 64


def test_connections_beyond_max_connections_are_closed() -> None:
    """With max_connections=0 no connection is kept, and each call opens its own."""
    with ScriptedGateway(one_route(echo)) as gateway:
        assert call(gateway.url, "hi", "warm=3", "option:max_connections=0").status == "OK"
        assert gateway.connections == 5
        assert call(gateway.url, "hi", "warm=3", "option:max_connections=1").status == "OK"
        assert gateway.connections == 6


@pytest.mark.parametrize("announces", [True, False], ids=["announced", "silent"])
def test_connection_closed_by_the_server_is_replaced(announces: bool) -> None:
    def respond_and_close(handler: Handler, request: Request) -> None:
        handler.respond(200, TEXT, {"Connection": "close"} if announces else {})
        handler.close_connection = True

    with ScriptedGateway(one_route(respond_and_close)) as gateway:
        pause = "pause=0" if announces else "pause=50"
        outcome = call(gateway.url, "hi", "warm=3", pause)
        assert outcome.status == "OK", outcome
        assert len(gateway.requests) == 5, "no request is sent twice"


def test_connection_with_unrequested_bytes_is_not_reused() -> None:
    def respond_and_more(handler: Handler, request: Request) -> None:
        handler.respond(200, TEXT)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + TEXT.replace(b"hello", b"WRONG"))

    with ScriptedGateway(one_route(respond_and_more)) as gateway:
        outcome = call(gateway.url, "hi", "warm=3", "pause=20")
        assert (outcome.status, outcome.text) == ("OK", "hello")


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(TEXT), TEXT),
        b"HTTP/1.1 200 OK\nContent-Length: %d\n\n%s" % (len(TEXT), TEXT),
        b"HTTP/1.1 200\r\ncontent-length:%d\r\n\r\n%s" % (len(TEXT), TEXT),
        b"HTTP/1.0 200 OK\r\n\r\n" + TEXT,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(TEXT),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(*(bytes([byte]) for byte in TEXT)),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + TEXT,
        b"HTTP/1.1 200 OK\r\n" + b"X-Filler: %s\r\n" % (b"x" * 4000) * 3 + b"\r\n" + TEXT,
    ],
    ids=["length", "bare line feeds", "terse", "HTTP/1.0", "one chunk", "many chunks", "interim", "long head"],
)
def test_every_framing_of_http_1_responses_is_read(reply: bytes) -> None:
    for gateway in (raw(reply), raw(*(bytes([byte]) for byte in reply[:400]), reply[400:], pause=0.0005)):
        with gateway:
            outcome = call(gateway.url, "hi")
            assert (outcome.status, outcome.text) == ("OK", "hello"), outcome


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
    ],
    ids=["two lengths", "no number", "no chunk", "long chunk", "HTTP/2", "TLS"],
)
def test_reply_that_is_not_http_1_1_is_bad_response(reply: bytes) -> None:
    with raw(reply) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=5000")
        assert outcome.status == "BAD_RESPONSE" and "not HTTP/1.1" in outcome.text, outcome


def test_head_beyond_max_header_bytes_is_rejected_at_once() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000, pause=0.2) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=5000")
        assert outcome.status == "RESPONSE_TOO_LARGE" and "max_header_bytes" in outcome.text, outcome


def test_body_beyond_max_response_bytes_is_rejected_at_once() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x", pause=0.2) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=5000")
        assert outcome.status == "RESPONSE_TOO_LARGE", outcome


def test_long_requests_and_responses_arrive_complete() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        for length in (16_000, 16_384, 70_000, 5_000_000):
            prompt = "x" * length
            outcome = call(gateway.url, prompt, "warm=1")
            assert (outcome.status, outcome.text_len) == ("OK", length + 6)
            assert outcome.text == "echo: " + prompt


@three_attempts
def test_server_that_does_not_read_times_out() -> None:
    SHARED.compile("calls.c")
    with listening(lambda connection: None) as port:
        start = time.monotonic()
        uri = f"http://{HOST}:{port}"
        outcome = call(uri, "x" * 10_000_000, "option:timeout_ms=500", "option:dialect=deployments")
        assert outcome.status == "TIMEOUT"
        assert time.monotonic() - start < 1.0


def test_host_name_is_resolved() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        uri = f"http://localhost:{gateway.port}"
        assert [outcome.status for outcome in call_all([(uri, "r", "hi", "warm=2")] * 2)] == ["OK", "OK"]
        assert gateway.requests[0].headers["host"] == f"localhost:{gateway.port}"


def test_error_response_sent_before_the_upload_ends_is_read() -> None:
    """The server refuses a long request after reading its head, and closes."""

    def refuse(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 8\r\n\r\ntoo long")
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        connection.close()

    with listening(refuse) as port:
        settings = ("option:timeout_ms=5000", "option:dialect=deployments")
        outcome = call(f"http://{HOST}:{port}", "x" * 10_000_000, *settings)
        assert (outcome.status, outcome.http_status, outcome.attempts) == ("HTTP_ERROR", 413, 1), outcome
        assert "too long" in outcome.text


def test_error_message_for_a_long_invalid_response_is_short() -> None:
    with raw(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"choices":"%s"}' % (b"x" * 1_000_000)) as gateway:
        outcome = call(gateway.url, "hi")
        assert outcome.status == "BAD_RESPONSE" and len(outcome.text) < 600


def test_parent_and_child_share_no_connection_after_fork() -> None:
    """Each response is slow, so that both processes wait at the same time."""

    def slow_echo(handler: Handler, request: Request) -> None:
        time.sleep(0.02)
        echo(handler, request)

    with ScriptedGateway(one_route(slow_echo)) as gateway:
        done = SHARED.run("test_fork.c", gateway.url, "r")
        assert done.returncode == 0, done.stderr


def test_response_that_does_not_fit_into_memory_is_out_of_memory() -> None:
    size = 150_000_000

    def reply(handler: Handler, request: Request) -> None:
        handler.respond(200, b'{"choices":[{"text":"%s"}]}' % (b"x" * size))

    with ScriptedGateway(one_route(reply)) as gateway:
        for megabytes in (100, 200, 300, 400):
            done = SHARED.run("test_memory.c", gateway.url, "r", str(megabytes))
            assert (done.returncode, done.stderr) == (0, ""), (megabytes, done.stderr)
            assert done.stdout == "MLFLOW_GATEWAY_OUT_OF_MEMORY\n", megabytes
        done = SHARED.run("test_memory.c", gateway.url, "r", "2000")
        assert (done.returncode, done.stdout) == (0, "MLFLOW_GATEWAY_OK\n")


def test_option_file_that_blocks_does_not_delay_calls(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ScriptedGateway(one_route(echo)) as gateway:
        done = SHARED.run("test_slow_file.c", gateway.url, "r", str(pipe))
        assert done.returncode == 0, done.stderr
