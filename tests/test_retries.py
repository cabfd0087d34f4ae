"""Retries: where they can do no harm, after pauses that spread, within the deadline; or as MLflow's own client does."""

import concurrent.futures
import contextlib
import email.utils
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import pytest
from asks import Outcome, ask, ask_all
from authority import Authority
from builds import CHECKED, ROOT, SHARED, Build, clean_environment
from calls import call
from chances import three_chances
from event_streams import chunk, events, framed, head, send
from gateways.install import install
from name_service import name_service
from scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    NOT_FOUND,
    Handler,
    Request,
    ScriptedGateway,
    answering,
    listening,
    refused_port,
)

MANY = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": ""}
"""An environment in which the library's own number of retries counts: the tests' own says none."""

NO_PAUSES = {"MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0"}
QUICK = ("handle-option max_retries=3", "handle-option retry_backoff_ms=5")
EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    "candidates": [{"message": {"role": "assistant", "content": "x"}, "metadata": {}}],
    "metadata": {},
    "data": [{"embedding": [1.0]}],
    "endpoints": [{"name": "r", "endpoint_type": "llm/v1/chat"}],
}
BUDGET = {"detail": "Budget limit exceeded. Ask finance."}
DONE = {"call hi": "OK", "send": "OK", "stream": "STREAM_END", "callback": "OK", "embed": "OK"}

Fault = Callable[[Handler, Request], None]


def status(number: int, body: object = None, **headers: str) -> Fault:
    """A refusal; `retry_after` becomes the header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.answer(number, {"detail": "not now"} if body is None else body, named)


def raw(content: bytes) -> Fault:
    return lambda handler, _: handler.raw(content)


def reset(handler: Handler, request: Request) -> None:
    handler.reset()


def stall(handler: Handler, request: Request) -> None:
    handler.stall()


def well(handler: Handler, request: Request) -> None:
    """No fault."""
    if request.body and request.json().get("stream"):
        send(handler, events(chunk("x"), chunk(None, finish_reason="stop"), "[DONE]"))
    else:
        handler.answer(200, ANSWER)


class Faulty(ScriptedGateway):
    """A gateway that does these in turn to what it is asked, and then answers well. It knows when it was asked.

    It does so where the method is one of these: questions, unless others are named.
    """

    def __init__(
        self, *faults: Fault, route: dict = CHAT_ROUTE, methods: str = "POST", tls: Optional[ssl.SSLContext] = None
    ) -> None:
        left = list(faults)
        self.asked: list[float] = []

        def script(handler: Handler, request: Request) -> None:
            if request.method not in methods:
                handler.answer(200, {"route_type": route["endpoint_type"], **route})
                return
            self.asked.append(time.monotonic())
            (left.pop(0) if left else well)(handler, request)

        super().__init__(script, tls)

    def gaps(self) -> list[float]:
        """The seconds between one question and the next."""
        return [later - earlier for earlier, later in zip(self.asked, self.asked[1:])]

    def ask_anew(
        self, times: int, *commands: str, build: Build = SHARED, env: Optional[dict[str, str]] = None
    ) -> list[Outcome]:
        """Asks so often, each time on a handle that knows nothing of the others."""
        again = [f"uri {self.url}", "again", *commands]
        return ask_all(self.url, *again * times, build=build, env=env)


def question(way: str) -> tuple[str, str]:
    return ("input hi" if way == "embed" else "prompt hi", way)


def route_for(way: str) -> dict:
    return EMBEDDINGS_ROUTE if way == "embed" else CHAT_ROUTE


# What is asked again


RETRIED = (429, 500, 502, 503)
NOT_RETRIED = (400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 425, 501, 504, 505, 507, 509, 529)


@pytest.mark.parametrize("way", DONE)
def test_what_may_pass_is_asked_again(way: str) -> None:
    faults = [fault for number in RETRIED for fault in (status(number), status(number), well)]
    with Faulty(*faults, route=route_for(way)) as gateway:
        outcomes = gateway.ask_anew(len(RETRIED), *QUICK, *question(way))
        assert len(gateway.asked) == len(faults)
    for number, outcome in zip(RETRIED, outcomes):
        assert outcome.status == DONE[way], (number, outcome)
        if outcome.response:
            assert outcome.response.attempts == 3
            assert outcome.response.retries == [f"HTTP status {number}"] * 2
    bodies = {request.body for request in gateway.requests if request.method == "POST"}
    assert len(bodies) == 1, "the same is asked"


@pytest.mark.parametrize("way", DONE)
def test_what_will_not_pass_is_not_asked_again(way: str) -> None:
    with Faulty(*map(status, NOT_RETRIED), route=route_for(way)) as gateway:
        outcomes = gateway.ask_anew(len(NOT_RETRIED), *QUICK, *question(way))
        assert len(gateway.asked) == len(NOT_RETRIED)
    for number, outcome in zip(NOT_RETRIED, outcomes):
        assert outcome.error_http_status == number, outcome
        assert (outcome.error_attempts, outcome.error_retries) == (1, []), (number, outcome)
        assert "tried" not in outcome.message, outcome.message


@pytest.mark.parametrize("way", DONE)
def test_a_budget_that_is_used_up_is_not_asked_again(way: str) -> None:
    with Faulty(status(429, BUDGET), route=route_for(way)) as gateway:
        outcome = ask(gateway.url, *QUICK, *question(way))
    assert (outcome.status, outcome.error_attempts, len(gateway.asked)) == ("BUDGET_EXCEEDED", 1, 1), outcome


def test_what_an_older_server_cannot_do_is_not_asked_again() -> None:
    words = "The returned data type from the route service is not supported. Received content type: text/event-stream"
    with Faulty(status(502, {"detail": words})) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "stream")
    assert (outcome.status, len(gateway.asked)) == ("UNSUPPORTED", 1), outcome


@pytest.mark.parametrize("way", DONE)
def test_there_is_an_end_to_retries(way: str) -> None:
    with Faulty(*[status(503)] * 9, route=route_for(way)) as gateway:
        outcome = ask(gateway.url, *QUICK, "handle-option max_retries=2", *question(way))
    assert (outcome.status, outcome.error_http_status, len(gateway.asked)) == ("SERVER_ERROR", 503, 3), outcome
    assert (outcome.error_attempts, outcome.error_retries) == (3, ["HTTP status 503"] * 2)
    assert outcome.message.endswith("; tried 3 times"), outcome.message


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_each_reason_is_told(build: Build) -> None:
    first, second = [status(503), status(429), status(500), well], [status(503), status(429), status(400)]
    with Faulty(*first, *second, *[status(503)] * 4, *first) as gateway:
        outcomes = ask_all(gateway.url, *QUICK, "prompt hi", "send", "send", "stream", "callback", build=build)
    came, refused, exhausted, streamed = outcomes
    for outcome in (came, streamed):
        assert outcome.response.attempts == 4
        assert outcome.response.retries == ["HTTP status 503", "HTTP status 429", "HTTP status 500"]
    assert (refused.status, refused.error_attempts) == ("BAD_REQUEST", 3), "the last one says what it came to"
    assert refused.error_retries == ["HTTP status 503", "HTTP status 429"]
    assert refused.message.endswith("; tried 3 times"), refused.message
    assert (exhausted.status, exhausted.error_retries) == ("SERVER_ERROR", ["HTTP status 503"] * 3)


def test_other_reasons_to_ask_again_are_told() -> None:
    def hidden(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations" and request.method == "POST":
            handler.answer(200, {"candidates": ANSWER["candidates"]})
        elif request.method == "POST":
            handler.answer(404, NOT_FOUND)
        else:
            handler.answer(403, "Forbidden")

    with ScriptedGateway(hidden) as gateway:
        first, second = ask_all(gateway.url, "message user=hi", "send", "send")
    assert (first.response.attempts, first.response.retries) == (2, ["no such path"])
    assert (second.response.attempts, second.response.retries) == (1, [])


def test_how_often_is_an_option() -> None:
    def asked(*commands: str, env: Optional[dict[str, str]] = None) -> int:
        with Faulty(*[status(503)] * 99) as gateway:
            outcome = ask(gateway.url, "handle-option retry_backoff_ms=1", *commands, "send", env=env)
        assert (outcome.status, outcome.error_attempts) == ("SERVER_ERROR", len(gateway.asked))
        return len(gateway.asked)

    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    assert asked("prompt hi", env=MANY) == 4, "three retries are the default"
    assert asked("prompt hi", env={name: "2"}) == 3
    assert asked("handle-option max_retries=0", "prompt hi", env={name: "2"}) == 1
    assert asked("handle-option max_retries=10", "prompt hi", env={name: "2"}) == 11
    assert asked("handle-option max_retries=5", "prompt hi", "option max_retries=1") == 2
    mlflows = "handle-option retry_policy=mlflow"
    assert asked(mlflows, "prompt hi", env={**MANY, **NO_PAUSES}) == 8, "seven, as MLflow's client"
    assert asked("prompt hi", "option retry_policy=mlflow", env={name: "1", **NO_PAUSES}) == 2


def test_only_the_request_that_failed_is_sent_again() -> None:
    refused: list[bytes] = []

    def once(handler: Handler, request: Request) -> None:
        if b"number 3" in request.body and not refused:
            refused.append(request.body)
            handler.answer(503, {"detail": "not now"})
        else:
            handler.answer(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})

    for concurrency in (1, 4):
        refused.clear()
        commands = ("inputs 9", "option embed_batch_size=2", f"option embed_concurrency={concurrency}", "embed")
        with ScriptedGateway(answering(once, EMBEDDINGS_ROUTE)) as gateway:
            outcome = ask(gateway.url, *QUICK, *commands)
        assert outcome.status == "OK" and outcome.embeddings.count == 9, outcome
        bodies = [request.body for request in gateway.requests if request.method == "POST"]
        assert len(bodies) == 6 and bodies.count(refused[0]) == 2


@pytest.mark.parametrize("way", ["list", "get-limits r"])
def test_questions_about_routes_are_asked_again(way: str) -> None:
    faults = [fault for number in RETRIED for fault in (status(number), well)]
    with Faulty(*faults, methods="GET") as gateway:
        outcomes = gateway.ask_anew(len(RETRIED), "handle-option dialect=deployments", *QUICK, way)
        assert [outcome.status for outcome in outcomes] == ["OK"] * len(RETRIED)
        assert len(gateway.asked) == len(faults)


def test_whether_it_is_well_is_asked_once() -> None:
    """Who asks wants to know how it is now."""
    with Faulty(status(503), methods="GET") as gateway:
        assert ask(gateway.url, *QUICK, "handle-option dialect=deployments", "health").status == "SERVER_ERROR"
        assert len(gateway.asked) == 1


@pytest.mark.parametrize("change", ['create-route {"name":"r"}', "delete-route r", 'set-limits r=[{"calls":1}]'])
def test_a_change_is_not_made_twice(change: str) -> None:
    """Where it may have been made, it is for the caller to look."""
    methods = "POST DELETE PUT"
    options = ("handle-option dialect=gateway", *QUICK, "handle-option retry_read_timeouts=true", *IMPATIENT)
    harmful = {
        "SERVER_ERROR": [status(500), status(502)],
        "CONNECTION_LOST": [reset, raw(b""), raw(b"HTTP/1.1 200 OK\r\n")],
        "TIMEOUT": [stall],
    }
    for expected, faults in harmful.items():
        with Faulty(*faults, methods=methods) as gateway:
            for outcome in gateway.ask_anew(len(faults), *options, change):
                assert (outcome.status, outcome.error_attempts) == (expected, 1), outcome
            assert len(gateway.asked) == len(faults)
    with Faulty(status(429), well, status(503), well, methods=methods) as gateway:
        assert [outcome.status for outcome in gateway.ask_anew(2, *options, change)] == ["OK", "OK"]
        assert len(gateway.asked) == 4, "these say that it was not made"
    with reopening(Faulty(methods=methods)) as gateway:
        outcome = ask(gateway.url, *options, *PATIENT, change)
    assert (outcome.status, len(gateway.asked)) == ("OK", 1), "nor was it where nothing was sent"


# Before anything was sent


@contextlib.contextmanager
def reopening(gateway: Faulty, after: float = 0.2) -> Iterator[Faulty]:
    """A gateway that is started while it is asked: its port refuses connections for so many seconds."""
    gateway._server.socket.close()
    gateway._server.socket = bound = socket.socket()
    bound.bind((HOST, 0))
    gateway.port = bound.getsockname()[1]
    gateway.url = f"http://{HOST}:{gateway.port}"

    def start() -> None:
        time.sleep(after)
        bound.listen(128)
        gateway.__enter__()

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield gateway
    finally:
        thread.join()
        gateway.__exit__()


PATIENT = (
    "handle-option max_retries=10", "handle-option retry_backoff_ms=100", "handle-option retry_max_backoff_ms=150",
)  # fmt: skip


@pytest.mark.parametrize("way", DONE)
def test_a_gateway_that_is_being_started_is_waited_for(way: str) -> None:
    with reopening(Faulty(route=route_for(way))) as gateway:
        outcome = ask(gateway.url, *PATIENT, *question(way))
    assert outcome.status == DONE[way] and len(gateway.asked) == 1, outcome
    if outcome.response:
        assert outcome.response.attempts == 1, "what was refused did not reach it"


def test_a_gateway_that_is_not_there_is_tried_so_often() -> None:
    with refused_port() as port:
        commands = (*QUICK, "handle-option max_retries=2", "prompt hi", "send", "stream")
        outcomes = ask_all(f"http://{HOST}:{port}", *commands)
    for outcome in outcomes:
        assert (outcome.status, outcome.error_attempts) == ("CONNECT_FAILED", 0), outcome
        assert len(outcome.error_retries) == 2, outcome
        for reason in outcome.error_retries:
            assert reason.startswith(f"cannot connect ({HOST}:{port}: Connection refused"), reason
        assert outcome.message.endswith("; tried 3 times"), outcome.message


def test_only_a_name_service_that_is_down_is_asked_again(tmp_path: Path) -> None:
    def resolve(answer: str) -> Outcome:
        env = name_service(tmp_path, {"gateway.test": answer})
        return ask("http://gateway.test", *QUICK, "handle-option max_retries=1", "prompt hi", "send", env=env)

    temporary, lasting = resolve("again"), resolve("none")
    for outcome in (temporary, lasting):
        assert (outcome.status, outcome.error_attempts) == ("RESOLVE_FAILED", 0), outcome
    (reason,) = temporary.error_retries
    assert reason.startswith("the host name cannot be resolved ("), reason
    assert lasting.error_retries == [], "a name that does not exist is not there a moment later"


class Cutting:
    """A port that ends connections, as it is told by their number, and passes the others on to another port."""

    def __init__(self, target: int, is_cut: Callable[[int], bool], words: bytes = b"") -> None:
        self.connections = 0
        self._target, self._is_cut, self._words = target, is_cut, words

    def talk(self, connection: socket.socket) -> None:
        self.connections += 1
        if self._is_cut(self.connections):
            connection.recv(4096)
            connection.sendall(self._words)
            connection.close()
        else:
            threading.Thread(target=pass_on, args=(connection, self._target), daemon=True).start()


def pass_on(connection: socket.socket, port: int) -> None:
    """Both ways, until both have ended."""
    with socket.create_connection((HOST, port)) as onward:
        back = threading.Thread(target=copy, args=(onward, connection), daemon=True)
        back.start()
        copy(connection, onward)
        back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("retries"))


ALONE = "handle-option max_connections=0"
"""Each request has its own connection, so that the first one is discovery's, and the second one the question's."""


@pytest.mark.parametrize("cut", [1, 2], ids=["discovery", "question"])
def test_a_handshake_that_is_cut_off_is_begun_again(authority: Authority, cut: int) -> None:
    with Faulty(tls=authority.server(HOST)) as gateway:
        cutting = Cutting(gateway.port, lambda number: number == cut)
        with listening(cutting.talk) as port:
            options = (ALONE, *QUICK, f"handle-option ca_file={authority.file}")
            outcome = ask(f"https://{HOST}:{port}", *options, "prompt hi", "send")
    assert outcome.status == "OK" and cutting.connections == 3, outcome
    assert (outcome.response.attempts, len(gateway.asked)) == (1, 1)
    if cut == 2:
        (reason,) = outcome.response.retries
        assert "ended the handshake" in reason, reason


def test_a_server_that_is_not_trusted_is_not_asked_again(authority: Authority) -> None:
    with Faulty(tls=authority.server(HOST)) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "send")
    assert (outcome.status, gateway.connections, gateway.requests) == ("TLS_FAILED", 1, []), outcome
    with Faulty() as gateway:
        outcome = ask(gateway.url.replace("http:", "https:"), *QUICK, "prompt hi", "send")
    assert (outcome.status, gateway.connections) == ("TLS_FAILED", 1), "a server without TLS will have none"


@pytest.mark.parametrize(
    ("refusal", "may_pass"),
    [(b"502 Bad Gateway", True), (b"503 Busy", True), (b"429 Busy", True), (b"407 Who?", False), (b"403 No", False)],
)
@pytest.mark.parametrize("number", [1, 2], ids=["discovery", "question"])
def test_a_proxy_that_fails_for_a_while(authority: Authority, refusal: bytes, may_pass: bool, number: int) -> None:
    connections = 0

    def proxy(connection: socket.socket) -> None:
        """Refuses one tunnel, and makes the others."""
        nonlocal connections
        connections += 1
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += connection.recv(4096)
        if connections == number:
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % refusal)
            connection.close()
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=pass_on, args=(connection, gateway.port), daemon=True).start()

    with Faulty(tls=authority.server(HOST)) as gateway, listening(proxy) as port:
        way = (f"handle-option ca_file={authority.file}", f"handle-option proxy=http://{HOST}:{port}")
        outcome = ask(gateway.url, ALONE, *QUICK, *way, "prompt hi", "send")
    if may_pass:
        assert outcome.status == "OK" and connections == 3, outcome
        assert outcome.response.attempts == 1, "the gateway got one"
        if number == 2:
            (reason,) = outcome.response.retries
            assert reason.startswith("the proxy failed (") and refusal[:3].decode() in reason, reason
    else:
        assert (outcome.status, connections, outcome.error_retries) == ("PROXY_FAILED", number, []), outcome


def test_a_proxy_that_is_not_there_is_tried_again() -> None:
    with refused_port() as port:
        options = (*QUICK, "handle-option max_retries=2", f"handle-option proxy=http://{HOST}:{port}")
        outcome = ask(f"https://{HOST}:1", *options, "prompt hi", "send")
    assert outcome.status == "PROXY_FAILED" and len(outcome.error_retries) == 2, outcome
    assert all(reason.startswith("the proxy failed (") for reason in outcome.error_retries)


# After something was sent


BROKEN = {"reset": reset, "closed": raw(b""), "stalled": stall}
BROKEN_LATE = {
    "cut head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut body": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"'),
    "cut chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "not JSON": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{x"),
}
IMPATIENT = ("handle-option first_byte_timeout_ms=150",)


@pytest.mark.parametrize("way", DONE)
def test_a_question_that_may_have_been_answered_is_not_asked_again(way: str) -> None:
    """On a connection that was not idle before: test_idle_connections.py is about those."""
    with Faulty(*BROKEN.values(), route=route_for(way)) as gateway:
        outcomes = gateway.ask_anew(len(BROKEN), ALONE, *QUICK, *IMPATIENT, *question(way))
        assert len(gateway.asked) == len(BROKEN)
    for fault, outcome in zip(BROKEN, outcomes):
        expected = "TIMEOUT" if fault == "stalled" else "CONNECTION_LOST"
        assert (outcome.status, outcome.error_attempts, outcome.error_retries) == (expected, 1, []), outcome


@pytest.mark.parametrize("way", DONE)
def test_a_question_that_may_have_been_answered_is_asked_again_if_that_is_allowed(way: str) -> None:
    allowed = (*QUICK, *IMPATIENT, "handle-option retry_read_timeouts=true")
    with Faulty(*[each for fault in BROKEN.values() for each in (fault, well)], route=route_for(way)) as gateway:
        outcomes = gateway.ask_anew(len(BROKEN), *allowed, *question(way))
        assert len(gateway.asked) == 2 * len(BROKEN)
    for fault, outcome in zip(BROKEN, outcomes):
        assert outcome.status == DONE[way], outcome
        if outcome.response:
            assert outcome.response.attempts == 2
            (reason,) = outcome.response.retries
            words = "timed out after 150 ms (first_byte_timeout_ms) while waiting for the response"
            assert reason == words if fault == "stalled" else "broke" in reason, reason


def test_a_request_may_allow_it() -> None:
    with Faulty(reset) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "option retry_read_timeouts=true", "send")
    assert outcome.status == "OK" and outcome.response.attempts == 2, outcome


@pytest.mark.parametrize("way", DONE)
def test_an_answer_that_has_begun_is_not_asked_for_again(way: str) -> None:
    with Faulty(*BROKEN_LATE.values(), route=route_for(way)) as gateway:
        outcomes = gateway.ask_anew(len(BROKEN_LATE), *QUICK, "handle-option retry_read_timeouts=true", *question(way))
        assert len(gateway.asked) == len(BROKEN_LATE)
    for fault, outcome in zip(BROKEN_LATE, outcomes):
        assert outcome.status in ("CONNECTION_LOST", "BAD_RESPONSE"), (fault, outcome)
        assert (outcome.error_attempts, outcome.error_retries) == (1, []), (fault, outcome)


def says_error(handler: Handler, request: Request) -> None:
    handler.wfile.write(framed(events({"error": {"message": "no", "type": "T"}}).encode(), "chunked"))


ENDS = {"reset": reset, "closed": raw(b""), "stalled": stall, "says an error": says_error}
BEGINNINGS = {"a delta": chunk("x"), "the role": chunk(None, role="assistant"), "its head": ": ping\n"}


def stream_that(begins: object, ends: Fault) -> Fault:
    def fault(handler: Handler, request: Request) -> None:
        beginning = begins if isinstance(begins, str) else events(begins)
        handler.wfile.write(head("chunked", 0) + framed(beginning.encode(), "chunked")[:-5])
        handler.wfile.flush()
        time.sleep(0.02)
        ends(handler, request)

    return fault


@pytest.mark.parametrize("policy", ["careful", "mlflow"])
@pytest.mark.parametrize("way", ["stream", "callback"])
def test_a_stream_that_has_begun_is_never_asked_for_again(way: str, policy: str) -> None:
    """Neither after a delta, nor once it is there without one: the caller would get words twice, or pay for them."""
    options = (
        *QUICK, f"handle-option retry_policy={policy}", "handle-option retry_read_timeouts=true",
        "handle-option idle_timeout_ms=150",
        "handle-option timeout_ms=5000",
    )  # fmt: skip
    rows = [(beginning, end) for beginning in BEGINNINGS for end in ENDS]
    with Faulty(*[stream_that(BEGINNINGS[beginning], ENDS[end]) for beginning, end in rows]) as gateway:
        outcomes = gateway.ask_anew(len(rows), *options, "prompt hi", way)
        assert len(gateway.asked) == len(rows)
    for (beginning, end), outcome in zip(rows, outcomes):
        expected = {"stalled": "TIMEOUT", "says an error": "STREAM_ERROR"}.get(end, "STREAM_TRUNCATED")
        assert (outcome.status, outcome.error_attempts) == (expected, 1), (beginning, end, outcome)
        assert outcome.text() == ("x" if beginning == "a delta" else ""), (beginning, end, outcome)


def test_a_callback_that_stops_is_not_asked_again() -> None:
    with Faulty(status(503)) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "stop-after 1", "callback")
    assert (outcome.status, outcome.text(), len(gateway.asked)) == ("CANCELLED", "x", 2), outcome


# Pauses


def in_a_while(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@three_chances
def test_a_server_says_how_long_to_wait() -> None:
    for number in (429, 503):
        with Faulty(status(number, retry_after="1")) as gateway:
            outcome = ask(gateway.url, *QUICK, "prompt hi", "send")
        assert outcome.status == "OK", outcome
        assert 1.0 <= gateway.gaps()[0] <= 1.15, gateway.gaps()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry_after": "1.5"}, 1.5), ({"retry_after_ms": "300"}, 0.3), ({"retry_after": "7", "retry_after_ms": "300"}, 0.3)],
)
@three_chances
def test_server_may_count_in_fractions_of_seconds(headers: dict[str, str], seconds: float) -> None:
    with Faulty(status(429, **headers)) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "send")
    assert outcome.status == "OK", outcome
    assert seconds <= gateway.gaps()[0] <= seconds + 0.15, gateway.gaps()


@three_chances
def test_a_server_says_until_when_to_wait() -> None:
    with Faulty(lambda *which: status(503, retry_after=in_a_while(2))(*which)) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "send")
    assert outcome.status == "OK", outcome
    assert 0.9 <= gateway.gaps()[0] <= 2.15, "a date has whole seconds"


@pytest.mark.parametrize("value", ["0", "soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "", "1.5 parsecs"])
@three_chances
def test_what_says_nothing_does_not_count(value: str) -> None:
    with Faulty(status(503, retry_after=value), status(429, retry_after=value)) as gateway:
        outcome = ask(gateway.url, *QUICK, "prompt hi", "send")
    assert outcome.status == "OK" and max(gateway.gaps()) < 0.1, (outcome, gateway.gaps())


@three_chances
def test_a_pause_beyond_the_deadline_is_not_begun() -> None:
    """What came is returned at once, with how long the server wants to be left alone."""
    for value in ("3600", "2", "99999999999999999999", in_a_while(3600)):
        with Faulty(status(429, retry_after=value)) as gateway:
            outcome = ask(gateway.url, *QUICK, "handle-option timeout_ms=1500", "prompt hi", "send")
            assert (outcome.status, outcome.error_attempts) == ("RATE_LIMITED", 1), outcome
            assert outcome.took_us < 100_000, outcome
            assert len(gateway.asked) == 1
    with Faulty(status(429, retry_after="3600")) as gateway:
        assert call(gateway.url, "hi", "option:max_retries=3", "option:timeout_ms=1500").retry_after_ms == 3_600_000


@three_chances
def test_a_backoff_beyond_the_deadline_is_not_begun() -> None:
    options = (
        "handle-option max_retries=10", "handle-option retry_backoff_ms=60000",
        "handle-option retry_max_backoff_ms=600000",
        "handle-option timeout_ms=300",
    )  # fmt: skip
    with Faulty(*[status(503)] * 99) as gateway:
        outcome = ask(gateway.url, *options, "prompt hi", "send")
    assert outcome.status == "SERVER_ERROR", "it says what the server said, and not that time was over"
    assert outcome.took_us < 350_000 and len(gateway.asked) == outcome.error_attempts
    # One pause in two hundred is short enough.
    assert len(gateway.asked) <= 2


@three_chances
def test_pauses_grow_and_are_spread() -> None:
    """Those who failed together do not come back together: each pause is anything up to its bound, which doubles."""
    first, most, retries, callers = 0.04, 0.16, 7, 8
    options = (
        f"handle-option max_retries={retries}", "handle-option retry_backoff_ms=40",
        "handle-option retry_max_backoff_ms=160",
    )  # fmt: skip

    def gaps(_: int) -> list[float]:
        with Faulty(*[status(503)] * 99) as gateway:
            ask(gateway.url, *options, "prompt hi", "send")
        return gateway.gaps()

    SHARED.compile("asks.c")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        all_gaps = list(pool.map(gaps, range(callers)))
    bounds = [min(most, first * 2**retry) for retry in range(retries)]
    assert {len(gaps) for gaps in all_gaps} == {retries}
    parts = []
    for gaps_of_one in all_gaps:
        for gap, bound in zip(gaps_of_one, bounds):
            assert gap <= bound + 0.05, (gaps_of_one, bounds)
            parts.append(gap / bound)
    late = [gap for gaps_of_one in all_gaps for gap in gaps_of_one[2:]]
    assert max(late) > 2 * first, "the bound grows"
    assert min(parts) < 0.3 and max(parts) > 0.7 and 0.3 < sum(parts) / len(parts) < 0.75, sorted(parts)
    assert len({round(gap, 3) for gap in late}) > len(late) / 3, "they differ"


# The log


def test_each_attempt_is_told() -> None:
    error, info = 1, 2
    with Faulty(status(503), status(429)) as gateway:
        outcome = ask(gateway.url, f"log {info}", *QUICK, "prompt hi", "send")
        assert outcome.status == "OK", outcome
        url = f"POST {gateway.url}/endpoints/r/invocations"
    first, second, third = outcome.log
    assert [line.level for line in outcome.log] == [error, error, info]
    assert first.text.startswith(f"{url}: HTTP status 503 after ")
    assert second.text.startswith(f"{url} (retry: HTTP status 503): HTTP status 429 after ")
    assert third.text.startswith(f"{url} (retry: HTTP status 429): HTTP status 200 after ")
    assert all(line.is_on_calling_thread for line in outcome.log)


# The environment


WRONG = [
    *(("MLFLOW_HTTP_REQUEST_MAX_RETRIES", value) for value in ("-1", "11", "many", "1.5", "0x1", "1 2", "nan")),
    *(("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", value) for value in ("-1", "121", "much", "nan", "inf", "1e9", "2s")),
    *(("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", value) for value in ("-1", "121", "much", "nan", "inf", "1e9", "-0.5")),
    *(("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", value) for value in ("maybe", "2", "yes", "-1")),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_variable_that_cannot_be_used_is_named(name: str, value: str) -> None:
    outcome = call(f"http://{HOST}:1", "hi", environment={name: value})
    assert outcome.status == "INVALID_OPTION_VALUE" and name in outcome.text, outcome


# As MLflow's client does


VERSIONS = ("2.8.1", "2.22.5", "3.17.2")
TWICE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", **NO_PAUSES}
RESPECT = "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER"


class Client:
    """MLflow's own client of one version, in a process that asks one question after the other."""

    def __init__(self, version: str, home: Path) -> None:
        self.version = version
        python = install(f"mlflow-{version}") / "bin" / "python"
        self.process = subprocess.Popen(
            [str(python), str(ROOT / "tests/gateways/mlflow_predict.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=clean_environment({"HOME": str(home)}),
        )  # fmt: skip

    def ask(self, url: str, environment: dict[str, str]) -> bool:
        """Whether it came to an answer."""
        question = {"url": url, "route": "r", "environment": environment}
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == "OK\n"

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


def ask_as_mlflow(version: str, url: str, environment: dict[str, str], *options: str) -> bool:
    dialect = "gateway" if version == "2.8.1" else "deployments"
    options = ("handle-option retry_policy=mlflow", f"handle-option dialect={dialect}", *options)
    return ask(url, *options, "prompt hi", "send", env=environment).status == "OK"


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Client]]:
    """They start side by side."""
    home = tmp_path_factory.mktemp("clients")
    started = {version: Client(version, home) for version in VERSIONS}
    yield started
    for client in started.values():
        client.end()


SCRIPTS: dict[str, list[Fault]] = {
    **{str(number): [status(number)] for number in (*RETRIED, 400, 404, 408, 413, 501, 504)},
    "429 for a budget": [status(429, BUDGET)],
    "503 twice": [status(503), status(503)],
    "503 three times": [status(503)] * 3,
    "each once": [status(500), status(502), status(503)],
    "503, then 400": [status(503), status(400)],
    "413 with a time": [status(413, retry_after="0")],
    "501 with a time": [status(501, retry_after="0")],
    "reset": [reset],
    "closed": [raw(b"")],
    "closed three times": [raw(b"")] * 3,
    "not HTTP": [raw(b"SSH-2.0-OpenSSH_9.2\r\n")],
    "cut head": [BROKEN_LATE["cut head"]],
    "cut body": [BROKEN_LATE["cut body"]],
    "reset, then 503": [reset, status(503)],
}
"""What the same gateway does to both clients. (A Retry-After that is no time ends urllib3's patience, and not ours.)"""


@pytest.mark.parametrize("version", VERSIONS)
def test_mlflows_policy_is_that_of_mlflow(clients: dict[str, Client], version: str) -> None:
    for name, faults in SCRIPTS.items():
        with Faulty(*faults) as gateway:
            theirs = (clients[version].ask(gateway.url, TWICE), len(gateway.asked))
        with Faulty(*faults) as gateway:
            ours = (ask_as_mlflow(version, gateway.url, TWICE), len(gateway.asked))
        assert ours == theirs, (name, "ours, theirs:", ours, theirs)


@pytest.mark.parametrize("version", VERSIONS)
def test_mlflows_policy_for_what_comes_before_a_question(
    clients: dict[str, Client], version: str, authority: Authority
) -> None:
    """How often a connection is tried that does not come about."""

    def both(url: str, connections: Callable[[], int], environment: dict[str, str]) -> None:
        before = connections()
        assert not clients[version].ask(url, {**TWICE, **environment})
        theirs = connections() - before
        assert not ask_as_mlflow(version, url, {**TWICE, **environment})
        ours = connections() - before - theirs
        assert ours == theirs == 3, (url, ours, theirs)

    cutting = Cutting(1, lambda _: True)
    with listening(cutting.talk) as port:
        both(f"https://{HOST}:{port}", lambda: cutting.connections, {})
    for refusal in (b"502 Bad Gateway", b"407 Who?"):
        proxy = Cutting(1, lambda _: True, b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % refusal)
        with listening(proxy.talk) as port:
            both(f"https://{HOST}:1", lambda: proxy.connections, {"HTTPS_PROXY": f"http://{HOST}:{port}"})
    with Faulty(tls=authority.server(HOST)) as gateway:
        both(gateway.url, lambda: gateway.connections, {})


class Row(NamedTuple):
    """What a gateway does, in which environment it is asked, and the seconds between questions: at least, at most."""

    faults: list[Fault]
    environment: dict[str, str]
    gaps: list[tuple[float, float]]


AT_ONCE, A_SECOND = (0.0, 0.0), (1.0, 1.0)
JITTER = {**NO_PAUSES, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2"}
PAUSES = [
    Row([status(503)] * 2, {**TWICE, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}, [AT_ONCE, (2.0, 2.0)]),
    Row([status(500, retry_after="1"), status(413, retry_after="1")], TWICE, [A_SECOND, A_SECOND]),
]
NEWER_PAUSES = [
    Row([status(503)] * 9, JITTER, [AT_ONCE, *[(0.0, 0.2)] * 3]),
    Row([status(503, retry_after="1")], {**TWICE, RESPECT: "false"}, [AT_ONCE]),
    Row([status(413, retry_after="1")], {**TWICE, RESPECT: "false"}, []),
]
"""MLflow 2.8.1 knows neither of these variables."""


@three_chances
def test_mlflows_pauses_are_those_of_mlflow(clients: dict[str, Client]) -> None:
    """The first retry comes at once; what the server says goes before all else, after each status."""

    def check(version: str) -> None:
        for row in [*PAUSES, *([] if version == "2.8.1" else NEWER_PAUSES)]:
            with Faulty(*row.faults) as theirs, Faulty(*row.faults) as ours:
                client = pool.submit(clients[version].ask, theirs.url, row.environment)
                ask_as_mlflow(version, ours.url, row.environment)
                client.result()
            for who, gaps in (("theirs", theirs.gaps()), ("ours", ours.gaps())):
                assert len(gaps) == len(row.gaps), (version, who, gaps, row)
                for gap, (shortest, longest) in zip(gaps, row.gaps):
                    assert shortest - 0.01 <= gap <= longest + 0.25, (version, who, gaps, row)

    with concurrent.futures.ThreadPoolExecutor(2 * len(VERSIONS)) as pool:
        for done in [pool.submit(check, version) for version in VERSIONS]:
            done.result()


@three_chances
def test_mlflows_policy_after_a_read_timeout(clients: dict[str, Client]) -> None:
    """It asks again, whether or not the model is still at it."""
    with Faulty(stall) as theirs, Faulty(stall) as ours:
        environment = {**TWICE, "MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT": "1"}
        thread = threading.Thread(target=clients["3.17.2"].ask, args=(theirs.url, environment))
        thread.start()
        assert ask_as_mlflow("3.17.2", ours.url, TWICE, "handle-option first_byte_timeout_ms=1000")
        thread.join()
    assert len(theirs.asked) == len(ours.asked) == 2
    for gap in (*theirs.gaps(), *ours.gaps()):
        assert 0.95 < gap < 1.4, (theirs.gaps(), ours.gaps())
