"""Details of an error for a program that may retry: the response headers, and whether the error is retryable."""

import json

import pytest
from support.builds import CHECKED, SHARED, Build
from support.event_streams import chunk, events, send_stream
from support.operations import perform, perform_all
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, one_route, refused_port
from support.timing import three_attempts

SENT = {"X-Request-Id": "req-1", "x-ratelimit-remaining-tokens": "17", "Set-Cookie": "session=s3cr3t", "X-Empty": ""}
SHOWN = ["X-REQUEST-ID", "x-ratelimit-remaining-tokens", "set-cookie", "X-Empty", "X-Absent", ""]
EXPECTED = ["req-1", "17", None, "", None, None]
SHOWING = [f"show-header {name}" for name in SHOWN]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_headers_of_an_error_response_are_kept(build: Build) -> None:
    with ScriptedGateway(
        one_route(lambda handler, request: handler.respond(429, "later", SENT), CHAT_ROUTE)
    ) as gateway:
        outcome = perform(gateway.url, *SHOWING, "handle-option max_retries=0", "message user=hi", "send", build=build)
    assert (outcome.status, outcome.error_headers) == ("RATE_LIMITED", EXPECTED)


def test_headers_of_the_last_response_are_kept() -> None:
    numbers = iter("12")

    def reject(handler: Handler, request: Request) -> None:
        handler.respond(503, "busy", {"X-Request-Id": next(numbers)})

    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        options = ("handle-option max_retries=1", "handle-option retry_backoff_ms=1")
        outcome = perform(gateway.url, "show-header X-Request-Id", *options, "message user=hi", "send")
    assert (outcome.error_attempts, outcome.error_headers) == (2, ["2"])


def test_headers_of_an_invalid_http_200_are_kept() -> None:
    with ScriptedGateway(one_route(lambda handler, request: handler.respond(200, "page", SENT), CHAT_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *SHOWING, "message user=hi", "send", "call hi", "stream")
    assert [outcome.status for outcome in outcomes] == ["BAD_RESPONSE"] * 3
    assert [outcome.error_headers for outcome in outcomes] == [EXPECTED] * 3


@pytest.mark.parametrize("command", ["stream", "callback"])
def test_headers_of_a_failed_stream_are_kept(command: str) -> None:
    def fail(handler: Handler, request: Request) -> None:
        body = events(chunk("a"), {"error": {"message": "no"}})
        head = "".join(f"{name}: {value}\r\n" for name, value in SENT.items())
        handler.raw(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{head}\r\n{body}".encode())

    with ScriptedGateway(one_route(fail, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, *SHOWING, "message user=hi", command)
    assert (outcome.status, outcome.error_headers) == ("STREAM_ERROR", EXPECTED)


def test_first_of_duplicate_headers_counts_and_non_utf8_is_replaced() -> None:
    def reject(handler: Handler, request: Request) -> None:
        lines = b"X-A: 1\r\nx-a: 2\r\nX-Latin: \xe9\r\nContent-Length: 0\r\n"
        handler.raw(b"HTTP/1.1 400 No\r\n" + lines + b"\r\n")

    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, "show-header X-A", "show-header X-Latin", "message user=hi", "send")
    assert outcome.error_headers == ["1", "\ufffd"]


def test_credentials_in_a_header_are_masked() -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(401, "no", {"WWW-Authenticate": f'Bearer error="{request.headers["authorization"]} is over"'})

    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        token = "handle-option bearer_token=hunter2hunter2"
        outcome = perform(gateway.url, "show-header WWW-Authenticate", token, "message user=hi", "send")
    assert outcome.error_headers == ['Bearer error="*** is over"']


RETRYABLE = [408, 425, 429, 500, 502, 503, 504, 529]
FINAL = [400, 401, 403, 404, 405, 409, 413, 422, 501]


def test_error_is_retryable_by_http_status() -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(int(request.json()["messages"][0]["content"]), {"detail": "no"})

    statuses = [*RETRYABLE, *FINAL]
    commands = [line for status in statuses for line in ("again", f"message user={status}", "send")]
    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, "handle-option max_retries=0", *commands[1:])
    assert [outcome.error_http_status for outcome in outcomes] == statuses
    assert [outcome.error_is_retryable for outcome in outcomes] == [status in RETRYABLE for status in statuses]


@pytest.mark.parametrize(
    ("status", "detail"),
    [(429, "Budget limit exceeded. Ask finance."), (400, "Guardrail 'pii' blocked: a name")],
    ids=["budget", "guardrail"],
)
def test_budget_and_guardrail_errors_are_not_retryable(status: int, detail: str) -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(status, {"detail": detail})

    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, "handle-option max_retries=0", "message user=hi", "send")
    assert outcome.status in ("BUDGET_EXCEEDED", "GUARDRAIL_BLOCKED") and not outcome.error_is_retryable


@three_attempts
def test_error_without_response_is_retryable_by_cause() -> None:
    quick = ("handle-option max_retries=0", "handle-option dialect=deployments", "message user=hi")
    with refused_port() as port:
        refused = perform(f"http://127.0.0.1:{port}", *quick, "send")
    unknown = perform("http://no-such-host.invalid", *quick, "send")
    with ScriptedGateway(one_route(lambda handler, request: handler.stall(), CHAT_ROUTE)) as gateway:
        late = perform(gateway.url, *quick, "handle-option timeout_ms=50", "send")
        cancelled = perform(gateway.url, *quick, "token", "cancel-after 20", "send")
    with ScriptedGateway(one_route(lambda handler, request: handler.reset(), CHAT_ROUTE)) as gateway:
        lost = perform(gateway.url, *quick, "send")
    outcomes = {outcome.status: outcome.error_is_retryable for outcome in (refused, unknown, late, cancelled, lost)}
    assert outcomes == {
        "CONNECT_FAILED": True,
        "RESOLVE_FAILED": False,
        "TIMEOUT": True,
        "CANCELLED": False,
        "CONNECTION_LOST": True,
    }


def test_error_of_an_invalid_response_is_retryable_by_kind() -> None:
    def respond(handler: Handler, request: Request) -> None:
        kind = request.json()["messages"][0]["content"]
        if kind == "page":
            handler.respond(200, "<html>")
        elif kind == "no text":
            handler.respond(200, {"choices": [{"message": {"content": None}}]})
        elif kind == "broken off":
            body = f"data: {json.dumps(chunk('a'))}\n\n"
            handler.raw(f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{body}".encode())
        else:
            send_stream(handler, events(chunk("a"), {"error": {"message": "no", "code": int(kind)}}))

    commands = ["message user=page", "send", "again", "call no text"]
    for kind in ("broken off", "500", "400"):
        commands += ["again", f"message user={kind}", "stream"]
    with ScriptedGateway(one_route(respond, CHAT_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *commands)
    assert [(outcome.status, outcome.error_is_retryable) for outcome in outcomes] == [
        ("BAD_RESPONSE", False),
        ("NO_TEXT", False),
        ("STREAM_TRUNCATED", True),
        ("STREAM_ERROR", True),
        ("STREAM_ERROR", False),
    ]
