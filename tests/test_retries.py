"""Retries: which failures are retried, after which pauses, within the deadline."""

import concurrent.futures
import contextlib
import email.utils
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

import pytest
from support.builds import CHECKED, SHARED, Build
from support.calls import call
from support.certificates import Authority
from support.event_streams import chunk, events, framed, head
from support.faulty_gateway import (
    BUDGET,
    CUT_RESPONSES,
    NO_PAUSES,
    RESPONSE,
    RETRIED,
    CuttingPort,
    Fault,
    FaultyGateway,
    forward,
    raw,
    reset,
    stall,
    status,
    succeed,
)
from support.name_service import name_service
from support.operations import Outcome, perform, perform_all
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    NOT_FOUND,
    Handler,
    Request,
    ScriptedGateway,
    listening,
    one_route,
    refused_port,
)
from support.timing import three_attempts

DEFAULT_RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": ""}
"""An environment with the default number of retries; tests run with none by default."""

QUICK = ("handle-option max_retries=3", "handle-option retry_backoff_ms=5")
EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
SUCCESS = {"call hi": "OK", "send": "OK", "stream": "STREAM_END", "callback": "OK", "embed": "OK"}


def commands_for(operation: str) -> tuple[str, str]:
    return ("input hi" if operation == "embed" else "prompt hi", operation)


def route_for(operation: str) -> dict:
    return EMBEDDINGS_ROUTE if operation == "embed" else CHAT_ROUTE


# Retried and not retried statuses


NOT_RETRIED = (400, 401, 403, 404, 405, 408, 409, 413, 421, 422, 425, 501, 504, 505, 507, 509, 529)


@pytest.mark.parametrize("operation", SUCCESS)
def test_status_429_500_502_and_503_are_retried(operation: str) -> None:
    faults = [fault for number in RETRIED for fault in (status(number), status(number), succeed)]
    with FaultyGateway(*faults, route=route_for(operation)) as gateway:
        outcomes = gateway.perform_anew(len(RETRIED), *QUICK, *commands_for(operation))
        assert len(gateway.request_times) == len(faults)
    for number, outcome in zip(RETRIED, outcomes):
        assert outcome.status == SUCCESS[operation], (number, outcome)
        if outcome.response:
            assert outcome.response.attempts == 3
            assert outcome.response.retries == [f"HTTP status {number}"] * 2
    bodies = {request.body for request in gateway.requests if request.method == "POST"}
    assert len(bodies) == 1, "the same request is repeated"


@pytest.mark.parametrize("operation", SUCCESS)
def test_other_error_statuses_are_not_retried(operation: str) -> None:
    with FaultyGateway(*map(status, NOT_RETRIED), route=route_for(operation)) as gateway:
        outcomes = gateway.perform_anew(len(NOT_RETRIED), *QUICK, *commands_for(operation))
        assert len(gateway.request_times) == len(NOT_RETRIED)
    for number, outcome in zip(NOT_RETRIED, outcomes):
        assert outcome.error_http_status == number, outcome
        assert (outcome.error_attempts, outcome.error_retries) == (1, []), (number, outcome)
        assert "tried" not in outcome.message, outcome.message


@pytest.mark.parametrize("operation", SUCCESS)
def test_exhausted_budget_is_not_retried(operation: str) -> None:
    with FaultyGateway(status(429, BUDGET), route=route_for(operation)) as gateway:
        outcome = perform(gateway.url, *QUICK, *commands_for(operation))
    assert (outcome.status, outcome.error_attempts, len(gateway.request_times)) == ("BUDGET_EXCEEDED", 1, 1), outcome


def test_stream_unsupported_by_an_older_server_is_not_retried() -> None:
    message = "The returned data type from the route service is not supported. Received content type: text/event-stream"
    with FaultyGateway(status(502, {"detail": message})) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "stream")
    assert (outcome.status, len(gateway.request_times)) == ("UNSUPPORTED", 1), outcome


@pytest.mark.parametrize("operation", SUCCESS)
def test_call_fails_after_max_retries(operation: str) -> None:
    with FaultyGateway(*[status(503)] * 9, route=route_for(operation)) as gateway:
        outcome = perform(gateway.url, *QUICK, "handle-option max_retries=2", *commands_for(operation))
    assert (outcome.status, outcome.error_http_status, len(gateway.request_times)) == ("SERVER_ERROR", 503, 3), outcome
    assert (outcome.error_attempts, outcome.error_retries) == (3, ["HTTP status 503"] * 2)
    assert outcome.message.endswith("; tried 3 times"), outcome.message


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_response_and_error_report_each_reason_of_a_retry(build: Build) -> None:
    first, second = [status(503), status(429), status(500), succeed], [status(503), status(429), status(400)]
    with FaultyGateway(*first, *second, *[status(503)] * 4, *first) as gateway:
        outcomes = perform_all(gateway.url, *QUICK, "prompt hi", "send", "send", "stream", "callback", build=build)
    succeeded, refused, exhausted, streamed = outcomes
    for outcome in (succeeded, streamed):
        assert outcome.response.attempts == 4
        assert outcome.response.retries == ["HTTP status 503", "HTTP status 429", "HTTP status 500"]
    assert (refused.status, refused.error_attempts) == ("BAD_REQUEST", 3), "the last attempt decides the status"
    assert refused.error_retries == ["HTTP status 503", "HTTP status 429"]
    assert refused.message.endswith("; tried 3 times"), refused.message
    assert (exhausted.status, exhausted.error_retries) == ("SERVER_ERROR", ["HTTP status 503"] * 3)


def test_attempt_with_another_path_is_reported_as_retry() -> None:
    def hidden(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations" and request.method == "POST":
            handler.respond(200, {"candidates": RESPONSE["candidates"]})
        elif request.method == "POST":
            handler.respond(404, NOT_FOUND)
        else:
            handler.respond(403, "Forbidden")

    with ScriptedGateway(hidden) as gateway:
        first, second = perform_all(gateway.url, "message user=hi", "send", "send")
    assert (first.response.attempts, first.response.retries) == (2, ["no such path"])
    assert (second.response.attempts, second.response.retries) == (1, [])


def test_max_retries_is_set_by_environment_handle_and_request() -> None:
    def attempts(*commands: str, env: Optional[dict[str, str]] = None) -> int:
        with FaultyGateway(*[status(503)] * 99) as gateway:
            outcome = perform(gateway.url, "handle-option retry_backoff_ms=1", *commands, "send", env=env)
        assert (outcome.status, outcome.error_attempts) == ("SERVER_ERROR", len(gateway.request_times))
        return len(gateway.request_times)

    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    assert attempts("prompt hi", env=DEFAULT_RETRIES) == 4, "the default is three retries"
    assert attempts("prompt hi", env={name: "2"}) == 3
    assert attempts("handle-option max_retries=0", "prompt hi", env={name: "2"}) == 1
    assert attempts("handle-option max_retries=10", "prompt hi", env={name: "2"}) == 11
    assert attempts("handle-option max_retries=5", "prompt hi", "option max_retries=1") == 2
    mlflows = "handle-option retry_policy=mlflow"
    assert attempts(mlflows, "prompt hi", env={**DEFAULT_RETRIES, **NO_PAUSES}) == 8, (
        "seven retries, as MLflow's client"
    )
    assert attempts("prompt hi", "option retry_policy=mlflow", env={name: "1", **NO_PAUSES}) == 2


def test_only_the_failed_batch_is_retried() -> None:
    refused: list[bytes] = []

    def once(handler: Handler, request: Request) -> None:
        if b"number 3" in request.body and not refused:
            refused.append(request.body)
            handler.respond(503, {"detail": "not now"})
        else:
            handler.respond(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})

    for concurrency in (1, 4):
        refused.clear()
        commands = ("inputs 9", "option embed_batch_size=2", f"option embed_concurrency={concurrency}", "embed")
        with ScriptedGateway(one_route(once, EMBEDDINGS_ROUTE)) as gateway:
            outcome = perform(gateway.url, *QUICK, *commands)
        assert outcome.status == "OK" and outcome.embeddings.count == 9, outcome
        bodies = [request.body for request in gateway.requests if request.method == "POST"]
        assert len(bodies) == 6 and bodies.count(refused[0]) == 2


@pytest.mark.parametrize("operation", ["list", "get-limits r"])
def test_route_functions_are_retried(operation: str) -> None:
    faults = [fault for number in RETRIED for fault in (status(number), succeed)]
    with FaultyGateway(*faults, methods="GET") as gateway:
        outcomes = gateway.perform_anew(len(RETRIED), "handle-option dialect=deployments", *QUICK, operation)
        assert [outcome.status for outcome in outcomes] == ["OK"] * len(RETRIED)
        assert len(gateway.request_times) == len(faults)


def test_health_is_not_retried() -> None:
    """A health check reports the current state."""
    with FaultyGateway(status(503), methods="GET") as gateway:
        assert perform(gateway.url, *QUICK, "handle-option dialect=deployments", "health").status == "SERVER_ERROR"
        assert len(gateway.request_times) == 1


@pytest.mark.parametrize("change", ['create-route {"name":"r"}', "delete-route r", 'set-limits r=[{"calls":1}]'])
@three_attempts
def test_change_of_a_route_is_retried_only_if_it_was_not_made(change: str) -> None:
    """If the change may have been made, the caller must check."""
    methods = "POST DELETE PUT"
    options = ("handle-option dialect=gateway", *QUICK, "handle-option retry_read_timeouts=true", *SHORT_WAIT)
    harmful = {
        "SERVER_ERROR": [status(500), status(502)],
        "CONNECTION_LOST": [reset, raw(b""), raw(b"HTTP/1.1 200 OK\r\n")],
        "TIMEOUT": [stall],
    }
    for expected, faults in harmful.items():
        with FaultyGateway(*faults, methods=methods) as gateway:
            for outcome in gateway.perform_anew(len(faults), *options, change):
                assert (outcome.status, outcome.error_attempts) == (expected, 1), outcome
            assert len(gateway.request_times) == len(faults)
    with FaultyGateway(status(429), succeed, status(503), succeed, methods=methods) as gateway:
        assert [outcome.status for outcome in gateway.perform_anew(2, *options, change)] == ["OK", "OK"]
        assert len(gateway.request_times) == 4, "these statuses mean that it was not made"
    with reopening(FaultyGateway(methods=methods)) as gateway:
        outcome = perform(gateway.url, *options, *MANY_RETRIES, change)
    assert (outcome.status, len(gateway.request_times)) == ("OK", 1), "it was not made if nothing was sent"


# Failures before the request was sent


@contextlib.contextmanager
def reopening(gateway: FaultyGateway, after: float = 0.2) -> Iterator[FaultyGateway]:
    """A gateway that starts during the call: its port refuses connections for `after` seconds."""
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


MANY_RETRIES = (
    "handle-option max_retries=10", "handle-option retry_backoff_ms=100", "handle-option retry_max_backoff_ms=150",
)  # fmt: skip


@pytest.mark.parametrize("operation", SUCCESS)
def test_refused_connection_is_retried_until_the_gateway_has_started(operation: str) -> None:
    with reopening(FaultyGateway(route=route_for(operation))) as gateway:
        outcome = perform(gateway.url, *MANY_RETRIES, *commands_for(operation))
    assert outcome.status == SUCCESS[operation] and len(gateway.request_times) == 1, outcome
    if outcome.response:
        assert outcome.response.attempts == 1, "refused connections are not attempts"


def test_refused_connection_is_retried_at_most_max_retries_times() -> None:
    with refused_port() as port:
        commands = (*QUICK, "handle-option max_retries=2", "prompt hi", "send", "stream")
        outcomes = perform_all(f"http://{HOST}:{port}", *commands)
    for outcome in outcomes:
        assert (outcome.status, outcome.error_attempts) == ("CONNECT_FAILED", 0), outcome
        assert len(outcome.error_retries) == 2, outcome
        for reason in outcome.error_retries:
            assert reason.startswith(f"cannot connect ({HOST}:{port}: Connection refused"), reason
        assert outcome.message.endswith("; tried 3 times"), outcome.message


def test_temporary_name_failure_is_retried_but_not_a_missing_name(tmp_path: Path) -> None:
    def resolve(result: str) -> Outcome:
        env = name_service(tmp_path, {"gateway.test": result})
        return perform("http://gateway.test", *QUICK, "handle-option max_retries=1", "prompt hi", "send", env=env)

    temporary, lasting = resolve("again"), resolve("none")
    for outcome in (temporary, lasting):
        assert (outcome.status, outcome.error_attempts) == ("RESOLVE_FAILED", 0), outcome
    (reason,) = temporary.error_retries
    assert reason.startswith("the host name cannot be resolved ("), reason
    assert lasting.error_retries == [], "a missing name does not appear a moment later"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("retries"))


ONE_CONNECTION_EACH = "handle-option max_connections=0"
"""Each request has its own connection: the first one is that of discovery, the second one that of the call."""


@pytest.mark.parametrize("cut", [1, 2], ids=["discovery", "question"])
def test_interrupted_tls_handshake_is_retried(authority: Authority, cut: int) -> None:
    with FaultyGateway(tls=authority.server(HOST)) as gateway:
        port_cutter = CuttingPort(gateway.port, lambda number: number == cut)
        with listening(port_cutter.talk) as port:
            options = (ONE_CONNECTION_EACH, *QUICK, f"handle-option ca_file={authority.file}")
            outcome = perform(f"https://{HOST}:{port}", *options, "prompt hi", "send")
    assert outcome.status == "OK" and port_cutter.connections == 3, outcome
    assert (outcome.response.attempts, len(gateway.request_times)) == (1, 1)
    if cut == 2:
        (reason,) = outcome.response.retries
        assert "ended the handshake" in reason, reason


def test_untrusted_certificate_is_not_retried(authority: Authority) -> None:
    with FaultyGateway(tls=authority.server(HOST)) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "send")
    assert (outcome.status, gateway.connections, gateway.requests) == ("TLS_FAILED", 1, []), outcome
    with FaultyGateway() as gateway:
        outcome = perform(gateway.url.replace("http:", "https:"), *QUICK, "prompt hi", "send")
    assert (outcome.status, gateway.connections) == ("TLS_FAILED", 1), "a server without TLS stays so"


@pytest.mark.parametrize(
    ("status_line", "is_temporary"),
    [(b"502 Bad Gateway", True), (b"503 Busy", True), (b"429 Busy", True), (b"407 Who?", False), (b"403 No", False)],
)
@pytest.mark.parametrize("number", [1, 2], ids=["discovery", "question"])
def test_temporary_failure_of_a_proxy_is_retried_but_not_a_refusal(
    authority: Authority, status_line: bytes, is_temporary: bool, number: int
) -> None:
    connections = 0

    def proxy(connection: socket.socket) -> None:
        """Refuses one tunnel, and establishes the others."""
        nonlocal connections
        connections += 1
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(4096)
        if connections == number:
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status_line)
            connection.close()
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=forward, args=(connection, gateway.port), daemon=True).start()

    with FaultyGateway(tls=authority.server(HOST)) as gateway, listening(proxy) as port:
        options = (f"handle-option ca_file={authority.file}", f"handle-option proxy=http://{HOST}:{port}")
        outcome = perform(gateway.url, ONE_CONNECTION_EACH, *QUICK, *options, "prompt hi", "send")
    if is_temporary:
        assert outcome.status == "OK" and connections == 3, outcome
        assert outcome.response.attempts == 1, "the gateway received one request"
        if number == 2:
            (reason,) = outcome.response.retries
            assert reason.startswith("the proxy failed (") and status_line[:3].decode() in reason, reason
    else:
        assert (outcome.status, connections, outcome.error_retries) == ("PROXY_FAILED", number, []), outcome


def test_unreachable_proxy_is_retried() -> None:
    with refused_port() as port:
        options = (*QUICK, "handle-option max_retries=2", f"handle-option proxy=http://{HOST}:{port}")
        outcome = perform(f"https://{HOST}:1", *options, "prompt hi", "send")
    assert outcome.status == "PROXY_FAILED" and len(outcome.error_retries) == 2, outcome
    assert all(reason.startswith("the proxy failed (") for reason in outcome.error_retries)


# Failures after the request was sent


LOST = {"reset": reset, "closed": raw(b""), "stalled": stall}
SHORT_WAIT = ("handle-option first_byte_timeout_ms=150",)


@pytest.mark.parametrize("operation", SUCCESS)
@three_attempts
def test_lost_request_is_not_retried(operation: str) -> None:
    """This holds for new connections; for idle ones see test_idle_connections.py."""
    with FaultyGateway(*LOST.values(), route=route_for(operation)) as gateway:
        outcomes = gateway.perform_anew(len(LOST), ONE_CONNECTION_EACH, *QUICK, *SHORT_WAIT, *commands_for(operation))
        assert len(gateway.request_times) == len(LOST)
    for fault, outcome in zip(LOST, outcomes):
        expected = "TIMEOUT" if fault == "stalled" else "CONNECTION_LOST"
        assert (outcome.status, outcome.error_attempts, outcome.error_retries) == (expected, 1, []), outcome


@pytest.mark.parametrize("operation", SUCCESS)
@three_attempts
def test_lost_request_is_retried_with_retry_read_timeouts(operation: str) -> None:
    allowed = (*QUICK, *SHORT_WAIT, "handle-option retry_read_timeouts=true")
    with FaultyGateway(
        *[each for fault in LOST.values() for each in (fault, succeed)], route=route_for(operation)
    ) as gateway:
        outcomes = gateway.perform_anew(len(LOST), *allowed, *commands_for(operation))
        assert len(gateway.request_times) == 2 * len(LOST)
    for fault, outcome in zip(LOST, outcomes):
        assert outcome.status == SUCCESS[operation], outcome
        if outcome.response:
            assert outcome.response.attempts == 2
            (reason,) = outcome.response.retries
            words = "timed out after 150 ms (first_byte_timeout_ms) while waiting for the response"
            assert reason == words if fault == "stalled" else "broke" in reason, reason


def test_retry_read_timeouts_can_be_set_on_a_request() -> None:
    with FaultyGateway(reset) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "option retry_read_timeouts=true", "send")
    assert outcome.status == "OK" and outcome.response.attempts == 2, outcome


@pytest.mark.parametrize("operation", SUCCESS)
def test_response_that_has_begun_is_not_retried(operation: str) -> None:
    with FaultyGateway(*CUT_RESPONSES.values(), route=route_for(operation)) as gateway:
        outcomes = gateway.perform_anew(
            len(CUT_RESPONSES), *QUICK, "handle-option retry_read_timeouts=true", *commands_for(operation)
        )
        assert len(gateway.request_times) == len(CUT_RESPONSES)
    for fault, outcome in zip(CUT_RESPONSES, outcomes):
        assert outcome.status in ("CONNECTION_LOST", "BAD_RESPONSE"), (fault, outcome)
        assert (outcome.error_attempts, outcome.error_retries) == (1, []), (fault, outcome)


def send_error(handler: Handler, request: Request) -> None:
    handler.wfile.write(framed(events({"error": {"message": "no", "type": "T"}}).encode(), "chunked"))


STREAM_ENDS = {"reset": reset, "closed": raw(b""), "stalled": stall, "reports an error": send_error}
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
@pytest.mark.parametrize("operation", ["stream", "callback"])
@three_attempts
def test_stream_that_has_begun_is_never_retried(operation: str, policy: str) -> None:
    """Neither after a delta nor before the first one: the caller would receive text twice, or pay twice."""
    options = (
        *QUICK, f"handle-option retry_policy={policy}", "handle-option retry_read_timeouts=true",
        "handle-option idle_timeout_ms=150",
        "handle-option timeout_ms=5000",
    )  # fmt: skip
    rows = [(beginning, end) for beginning in BEGINNINGS for end in STREAM_ENDS]
    with FaultyGateway(*[stream_that(BEGINNINGS[beginning], STREAM_ENDS[end]) for beginning, end in rows]) as gateway:
        outcomes = gateway.perform_anew(len(rows), *options, "prompt hi", operation)
        assert len(gateway.request_times) == len(rows)
    for (beginning, end), outcome in zip(rows, outcomes):
        expected = {"stalled": "TIMEOUT", "reports an error": "STREAM_ERROR"}.get(end, "STREAM_TRUNCATED")
        assert (outcome.status, outcome.error_attempts) == (expected, 1), (beginning, end, outcome)
        assert outcome.text() == ("x" if beginning == "a delta" else ""), (beginning, end, outcome)


def test_stream_stopped_by_the_callback_is_not_retried() -> None:
    with FaultyGateway(status(503)) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "stop-after 1", "callback")
    assert (outcome.status, outcome.text(), len(gateway.request_times)) == ("CANCELLED", "x", 2), outcome


# Pauses


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@three_attempts
def test_retry_after_in_seconds_is_obeyed() -> None:
    for number in (429, 503):
        with FaultyGateway(status(number, retry_after="1")) as gateway:
            outcome = perform(gateway.url, *QUICK, "prompt hi", "send")
        assert outcome.status == "OK", outcome
        assert 1.0 <= gateway.gaps()[0] <= 1.15, gateway.gaps()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry_after": "1.5"}, 1.5), ({"retry_after_ms": "300"}, 0.3), ({"retry_after": "7", "retry_after_ms": "300"}, 0.3)],
)
@three_attempts
def test_retry_after_in_fractions_and_retry_after_ms_are_obeyed(headers: dict[str, str], seconds: float) -> None:
    with FaultyGateway(status(429, **headers)) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "send")
    assert outcome.status == "OK", outcome
    assert seconds <= gateway.gaps()[0] <= seconds + 0.15, gateway.gaps()


@three_attempts
def test_retry_after_as_date_is_obeyed() -> None:
    with FaultyGateway(lambda *which: status(503, retry_after=http_date(2))(*which)) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "send")
    assert outcome.status == "OK", outcome
    assert 0.9 <= gateway.gaps()[0] <= 2.15, "dates have whole seconds"


@pytest.mark.parametrize("value", ["0", "soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT", "", "1.5 parsecs"])
@three_attempts
def test_invalid_retry_after_is_ignored(value: str) -> None:
    with FaultyGateway(status(503, retry_after=value), status(429, retry_after=value)) as gateway:
        outcome = perform(gateway.url, *QUICK, "prompt hi", "send")
    assert outcome.status == "OK" and max(gateway.gaps()) < 0.1, (outcome, gateway.gaps())


@three_attempts
def test_retry_after_beyond_the_deadline_fails_at_once() -> None:
    """The error is returned at once, with the time of Retry-After."""
    for value in ("3600", "2", "99999999999999999999", http_date(3600)):
        with FaultyGateway(status(429, retry_after=value)) as gateway:
            outcome = perform(gateway.url, *QUICK, "handle-option timeout_ms=1500", "prompt hi", "send")
            assert (outcome.status, outcome.error_attempts) == ("RATE_LIMITED", 1), outcome
            assert outcome.took_us < 100_000, outcome
            assert len(gateway.request_times) == 1
    with FaultyGateway(status(429, retry_after="3600")) as gateway:
        assert call(gateway.url, "hi", "option:max_retries=3", "option:timeout_ms=1500").retry_after_ms == 3_600_000


@three_attempts
def test_backoff_beyond_the_deadline_fails_at_once() -> None:
    options = (
        "handle-option max_retries=10", "handle-option retry_backoff_ms=60000",
        "handle-option retry_max_backoff_ms=600000",
        "handle-option timeout_ms=300",
    )  # fmt: skip
    with FaultyGateway(*[status(503)] * 99) as gateway:
        outcome = perform(gateway.url, *options, "prompt hi", "send")
    assert outcome.status == "SERVER_ERROR", "the error is that of the server, not a timeout"
    assert outcome.took_us < 350_000 and len(gateway.request_times) == outcome.error_attempts
    # One pause in 200 is short enough.
    assert len(gateway.request_times) <= 2


@three_attempts
def test_pauses_are_random_below_a_doubling_limit() -> None:
    """Clients that failed together do not retry together: each pause is random below a limit that doubles."""
    first, maximum, retries, callers = 0.04, 0.16, 7, 8
    options = (
        f"handle-option max_retries={retries}", "handle-option retry_backoff_ms=40",
        "handle-option retry_max_backoff_ms=160",
    )  # fmt: skip

    def gaps(_: int) -> list[float]:
        with FaultyGateway(*[status(503)] * 99) as gateway:
            perform(gateway.url, *options, "prompt hi", "send")
        return gateway.gaps()

    SHARED.compile("operations.c")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        all_gaps = list(pool.map(gaps, range(callers)))
    bounds = [min(maximum, first * 2**retry) for retry in range(retries)]
    assert {len(gaps) for gaps in all_gaps} == {retries}
    parts = []
    for gaps_of_one in all_gaps:
        for gap, bound in zip(gaps_of_one, bounds):
            assert gap <= bound + 0.05, (gaps_of_one, bounds)
            parts.append(gap / bound)
    late = [gap for gaps_of_one in all_gaps for gap in gaps_of_one[2:]]
    assert max(late) > 2 * first, "the limit grows"
    assert min(parts) < 0.3 and max(parts) > 0.7 and 0.3 < sum(parts) / len(parts) < 0.75, sorted(parts)
    assert len({round(gap, 3) for gap in late}) > len(late) / 3, "the pauses differ"


# The log


def test_each_attempt_is_logged_with_the_reason_of_the_retry() -> None:
    error, info = 1, 2
    with FaultyGateway(status(503), status(429)) as gateway:
        outcome = perform(gateway.url, f"log {info}", *QUICK, "prompt hi", "send")
        assert outcome.status == "OK", outcome
        url = f"POST {gateway.url}/endpoints/r/invocations"
    first, second, third = outcome.log
    assert [line.level for line in outcome.log] == [error, error, info]
    assert first.text.startswith(f"{url}: HTTP status 503 after ")
    assert second.text.startswith(f"{url} (retry: HTTP status 503): HTTP status 429 after ")
    assert third.text.startswith(f"{url} (retry: HTTP status 429): HTTP status 200 after ")
    assert all(line.is_on_calling_thread for line in outcome.log)


# The environment


INVALID = [
    *(("MLFLOW_HTTP_REQUEST_MAX_RETRIES", value) for value in ("-1", "11", "many", "1.5", "0x1", "1 2", "nan")),
    *(("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", value) for value in ("-1", "121", "much", "nan", "inf", "1e9", "2s")),
    *(("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", value) for value in ("-1", "121", "much", "nan", "inf", "1e9", "-0.5")),
    *(("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", value) for value in ("maybe", "2", "yes", "-1")),
]


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_variable_with_an_invalid_value_is_named(name: str, value: str) -> None:
    outcome = call(f"http://{HOST}:1", "hi", environment={name: value})
    assert outcome.status == "INVALID_OPTION_VALUE" and name in outcome.text, outcome
