"""Connections are kept, replaced where the server closed them, and read by the letter of HTTP/1.1."""

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
    """A gateway that answers with these bytes and closes."""

    def answer(handler: Handler, request: Request) -> None:
        for piece in pieces:
            handler.wfile.write(piece)
            handler.wfile.flush()
            time.sleep(pause)
        handler.close_connection = True

    return ScriptedGateway(one_route(answer))


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def test_one_connection_serves_many_calls() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        assert call(gateway.url, "hi", "warm=20").status == "OK"
        assert gateway.connections == 1


def test_sixty_four_threads_keep_sixty_four_connections() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = SHARED.run("test_threads.c", gateway.url, "r", "64", "50")
        assert done.returncode == 0, done.stderr
        assert gateway.connections <= 64


def test_connections_beyond_the_most_are_closed() -> None:
    """No connection at all is kept, so that each call opens its own."""
    with ScriptedGateway(one_route(echo)) as gateway:
        assert call(gateway.url, "hi", "warm=3", "option:max_connections=0").status == "OK"
        assert gateway.connections == 5
        assert call(gateway.url, "hi", "warm=3", "option:max_connections=1").status == "OK"
        assert gateway.connections == 6


@pytest.mark.parametrize("says_so", [True, False], ids=["announced", "silent"])
def test_a_connection_that_the_server_closed_is_replaced(says_so: bool) -> None:
    def answer_and_close(handler: Handler, request: Request) -> None:
        handler.respond(200, TEXT, {"Connection": "close"} if says_so else {})
        handler.close_connection = True

    with ScriptedGateway(one_route(answer_and_close)) as gateway:
        pause = "pause=0" if says_so else "pause=50"
        outcome = call(gateway.url, "hi", "warm=3", pause)
        assert outcome.status == "OK", outcome
        assert len(gateway.requests) == 5, "nothing is asked twice"


def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    def answer_and_more(handler: Handler, request: Request) -> None:
        handler.respond(200, TEXT)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + TEXT.replace(b"hello", b"WRONG"))

    with ScriptedGateway(one_route(answer_and_more)) as gateway:
        outcome = call(gateway.url, "hi", "warm=3", "pause=20")
        assert (outcome.status, outcome.text) == ("OK", "hello")


@pytest.mark.parametrize(
    "answer",
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
def test_every_form_of_an_answer_is_read(answer: bytes) -> None:
    for gateway in (raw(answer), raw(*(bytes([byte]) for byte in answer[:400]), answer[400:], pause=0.0005)):
        with gateway:
            outcome = call(gateway.url, "hi")
            assert (outcome.status, outcome.text) == ("OK", "hello"), outcome


@pytest.mark.parametrize(
    "answer",
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
def test_what_is_not_http_is_said_to_be_so(answer: bytes) -> None:
    with raw(answer) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=5000")
        assert outcome.status == "BAD_RESPONSE" and "not HTTP/1.1" in outcome.text, outcome


def test_a_head_that_is_too_long_is_not_waited_for() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000, pause=0.2) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=5000")
        assert outcome.status == "RESPONSE_TOO_LARGE" and "max_header_bytes" in outcome.text, outcome


def test_an_answer_that_is_too_long_is_not_waited_for() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x", pause=0.2) as gateway:
        outcome = call(gateway.url, "hi", "option:timeout_ms=5000")
        assert outcome.status == "RESPONSE_TOO_LARGE", outcome


def test_long_questions_and_answers() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        for length in (16_000, 16_384, 70_000, 5_000_000):
            prompt = "x" * length
            outcome = call(gateway.url, prompt, "warm=1")
            assert (outcome.status, outcome.text_len) == ("OK", length + 6)
            assert outcome.text == "echo: " + prompt


@three_attempts
def test_a_server_that_does_not_read_cannot_hold_a_call() -> None:
    SHARED.compile("calls.c")
    with listening(lambda connection: None) as port:
        start = time.monotonic()
        uri = f"http://{HOST}:{port}"
        outcome = call(uri, "x" * 10_000_000, "option:timeout_ms=500", "option:dialect=deployments")
        assert outcome.status == "TIMEOUT"
        assert time.monotonic() - start < 1.0


def test_a_name_is_looked_up() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        uri = f"http://localhost:{gateway.port}"
        assert [outcome.status for outcome in call_all([(uri, "r", "hi", "warm=2")] * 2)] == ["OK", "OK"]
        assert gateway.requests[0].headers["host"] == f"localhost:{gateway.port}"


def test_a_refusal_that_comes_early_is_read() -> None:
    """The server refuses a long question by its head alone, and closes."""

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


def test_a_short_message_for_a_long_mistake() -> None:
    with raw(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"choices":"%s"}' % (b"x" * 1_000_000)) as gateway:
        outcome = call(gateway.url, "hi")
        assert outcome.status == "BAD_RESPONSE" and len(outcome.text) < 600


def test_parent_and_child_share_no_connection() -> None:
    """Each answer is slow, so that both processes wait at the same time."""

    def slow_echo(handler: Handler, request: Request) -> None:
        time.sleep(0.02)
        echo(handler, request)

    with ScriptedGateway(one_route(slow_echo)) as gateway:
        done = SHARED.run("test_fork.c", gateway.url, "r")
        assert done.returncode == 0, done.stderr


def test_there_may_be_no_memory_for_an_answer() -> None:
    size = 150_000_000

    def answer(handler: Handler, request: Request) -> None:
        handler.respond(200, b'{"choices":[{"text":"%s"}]}' % (b"x" * size))

    with ScriptedGateway(one_route(answer)) as gateway:
        for megabytes in (100, 200, 300, 400):
            done = SHARED.run("test_memory.c", gateway.url, "r", str(megabytes))
            assert (done.returncode, done.stderr) == (0, ""), (megabytes, done.stderr)
            assert done.stdout == "MLFLOW_GATEWAY_OUT_OF_MEMORY\n", megabytes
        done = SHARED.run("test_memory.c", gateway.url, "r", "2000")
        assert (done.returncode, done.stdout) == (0, "MLFLOW_GATEWAY_OK\n")


def test_a_file_that_does_not_come_holds_up_no_call(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ScriptedGateway(one_route(echo)) as gateway:
        done = SHARED.run("test_slow_file.c", gateway.url, "r", str(pipe))
        assert done.returncode == 0, done.stderr
