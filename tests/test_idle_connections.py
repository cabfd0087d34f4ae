"""Connections that are kept between calls: how long, and that no call is lost when the server closes one.

Servers close idle connections after a time of their own (gunicorn 2 s, uvicorn 5 s), and some close one without a word
after an exception. A request that is on its way at that moment is lost before the server has read it.
"""

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Optional

import pytest
from asks import ask_all
from authority import Authority
from builds import SHARED
from conftest import RealGateway
from delaying_proxy import delayed
from scripted_gateway import CHAT_ROUTE, HOST, Handler, Request, ScriptedGateway, answering

ANSWER = {"choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
QUIET = "handle-option max_retries=0"
SEND = ("prompt hi", "send")


def gateway_with(headers: dict[str, str], status: int = 200) -> ScriptedGateway:
    return ScriptedGateway(answering(lambda handler, _: handler.answer(status, ANSWER, headers), CHAT_ROUTE))


def connections_after(gateway: ScriptedGateway, pause_ms: int, *commands: str) -> int:
    """How many connections two calls take with a pause between them."""
    with gateway:
        outcomes = ask_all(gateway.url, QUIET, *commands, *SEND, f"sleep {pause_ms}", *SEND)
        assert [outcome.status for outcome in outcomes] == ["OK", "OK"], outcomes
    return gateway.connections


# How long a connection is kept


@pytest.mark.parametrize(
    ("keep_alive", "pause_ms", "connections"),
    [("timeout=5", 10, 1), ("timeout=2, max=100", 300, 1), ("timeout=2", 1200, 2), ("timeout=1", 10, 2), ("timeout=0", 10, 2)],
)
def test_connection_is_kept_a_second_less_than_the_server_says(keep_alive: str, pause_ms: int, connections: int) -> None:
    assert connections_after(gateway_with({"Keep-Alive": keep_alive}), pause_ms) == connections


@pytest.mark.parametrize(("option", "pause_ms", "connections"), [("200", 10, 1), ("200", 300, 2), ("0", 0, 3)])
def test_connection_is_kept_as_long_as_the_option_says(option: str, pause_ms: int, connections: int) -> None:
    """With nothing, not even discovery and the call share one."""
    assert connections_after(gateway_with({}), pause_ms, f"handle-option keep_alive_ms={option}") == connections


def test_connection_of_http_1_0_is_not_kept() -> None:
    def old(handler: Handler, request: Request) -> None:
        body = b'{"choices":[{"message":{"role":"assistant","content":"x"}}]}'
        head = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n" % len(body)
        handler.wfile.write(head + body)
        handler.wfile.flush()

    assert connections_after(ScriptedGateway(answering(old, CHAT_ROUTE)), 0) == 2


# What a server closes without a word


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_call_after_a_failure_of_the_server_has_a_new_connection(status: int) -> None:
    """uvicorn sends a 500 without `Connection: close`, and closes 3 ms later."""

    def script(handler: Handler, request: Request) -> None:
        if b"fail" in request.body:
            handler.answer(status, "Internal Server Error")
            handler.wfile.flush()
            time.sleep(0.003)
            handler.close_connection = True
        else:
            handler.answer(200, ANSWER)

    with ScriptedGateway(answering(script, CHAT_ROUTE)) as gateway:
        outcomes = ask_all(gateway.url, QUIET, *("prompt fail", "send", *SEND) * 200)
    assert {outcome.status for outcome in outcomes[::2]} == {"SERVER_ERROR"}, outcomes[::2]
    assert {outcome.status for outcome in outcomes[1::2]} == {"OK"}, outcomes[1::2]
    assert {outcome.response.attempts for outcome in outcomes[1::2]} == {1}


# What is sent again


def losing(
    end: Callable[[Handler], None], after: float = 0, tls: Optional[ssl.SSLContext] = None
) -> ScriptedGateway:
    """Loses each request that comes on a connection on which a response was sent before."""
    used: set[int] = set()

    def script(handler: Handler, request: Request) -> None:
        if id(handler) in used:
            time.sleep(after)
            end(handler)
            return
        used.add(id(handler))
        handlers.append(handler)
        handler.answer(200, ANSWER if request.method == "POST" else CHAT_ROUTE)

    handlers: list[Handler] = []
    return ScriptedGateway(script, tls)


def close(handler: Handler) -> None:
    """Over TLS the server does not close by itself what it did not open."""
    handler.connection.close()
    handler.close_connection = True


ENDS: dict[str, Callable[[Handler], None]] = {
    "closed": close,
    "reset": lambda handler: handler.reset(),
}


@pytest.mark.parametrize("way", ["send", "stream", "callback"])
@pytest.mark.parametrize("end", ENDS)
def test_request_lost_with_an_idle_connection_is_sent_once_more(end: str, way: str) -> None:
    with losing(ENDS[end]) as gateway:
        (outcome,) = ask_all(gateway.url, QUIET, "log 3", "prompt hi", way)
    assert outcome.status in ("OK", "STREAM_END"), outcome
    assert outcome.response.attempts == 2
    (reason,) = outcome.response.retries
    assert reason.startswith("the connection broke before the response was complete ("), reason
    posts = [line.text for line in outcome.log if line.text.startswith("POST")]
    assert len(posts) == 2 and "CONNECTION_LOST" in posts[0] and "(retry: the connection broke" in posts[1], posts


@pytest.mark.parametrize("end", ENDS)
def test_request_lost_with_an_idle_connection_over_tls_is_sent_once_more(end: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with losing(ENDS[end], tls=authority.server(HOST)) as gateway:
        (outcome,) = ask_all(gateway.url, QUIET, f"handle-option ca_file={authority.file}", *SEND)
    assert outcome.status == "OK" and outcome.response.attempts == 2, outcome


def test_request_lost_late_is_not_sent_again() -> None:
    """The model may have worked on it."""
    with losing(ENDS["closed"], after=0.4) as gateway:
        (outcome,) = ask_all(gateway.url, QUIET, *SEND)
        posts = [path for path in gateway.paths() if path.startswith("POST")]
    assert (outcome.status, outcome.error_attempts, len(posts)) == ("CONNECTION_LOST", 1, 1), outcome


def test_request_lost_with_a_new_connection_is_not_sent_again() -> None:
    with ScriptedGateway(answering(lambda handler, _: handler.raw(b""), CHAT_ROUTE)) as gateway:
        (outcome,) = ask_all(gateway.url, QUIET, "handle-option max_connections=0", *SEND)
        posts = [path for path in gateway.paths() if path.startswith("POST")]
    assert (outcome.status, outcome.error_attempts, len(posts)) == ("CONNECTION_LOST", 1, 1), outcome


def test_change_is_sent_on_a_new_connection() -> None:
    """So that it cannot be lost with an idle one, and is not made twice."""
    with losing(ENDS["closed"]) as gateway:
        commands = ("handle-option dialect=databricks", "get-route r", 'create-route {"name":"s"}')
        outcomes = ask_all(gateway.url, QUIET, *commands)
        assert gateway.paths()[-1].startswith("POST"), gateway.paths()
        assert gateway.connections == 2 and len(gateway.paths()) == 2, gateway.paths()
    assert outcomes[1].status != "CONNECTION_LOST", outcomes[1]


# Real servers


def run(*arguments: object) -> tuple[int, int, int, str]:
    """The numbers of calls that succeeded and of those that did not, of attempts, and the last error."""
    done = SHARED.run("test_idle_connections.c", *map(str, arguments))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    good, lost, attempts, error = done.stdout.split(" ", 3)
    return int(good), int(lost), int(attempts), error.strip()


@pytest.mark.parametrize("threads", [1, 8])
def test_no_call_is_lost_after_a_real_servers_exception(
    real_gateways: dict[str, RealGateway], threads: int
) -> None:
    gateway = real_gateways["3.17.2"]
    good, lost, attempts, error = run("after-failure", gateway.url, "chat", 1000 // threads, threads)
    assert (good, lost, error) == (1000, 0, "")
    # What was sent again was counted, and is rare: connections on which a failure came are not used at all.
    assert 1000 <= attempts <= 1010


def check_period(gateway: RealGateway, period_ms: int) -> None:
    """40 handles poll at the very period after which the server closes, over a network of 5 ms."""
    with delayed(port_of(gateway.url), 0.005) as port:
        good, lost, attempts, error = run("period", f"http://{HOST}:{port}", "chat", 5, 40, period_ms)
    assert (good, lost, error) == (200, 0, ""), (good, lost, error)
    assert attempts >= 200


def test_no_call_is_lost_at_the_period_of_gunicorn(real_gateways: dict[str, RealGateway]) -> None:
    check_period(real_gateways["3.17.2"], 2000)


def test_no_call_is_lost_at_the_period_of_uvicorn(tracking_server: RealGateway) -> None:
    check_period(tracking_server, 5000)


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1].split("/")[0])
