"""Errors: the status and the message of every error response, invalid response, and broken connection."""

import contextlib
import time

import pytest
from support.builds import ALL, SHARED, Build
from support.calls import Outcome, call, call_all
from support.operations import perform, perform_all
from support.scripted_gateway import (
    CHAT_ROUTE,
    Handler,
    Request,
    ScriptedGateway,
    one_route,
    refused_port,
    unreachable_port,
)
from support.timing import three_attempts

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"

# HTTP status and body of an error response; expected status, code, and part of the message.
ERROR_RESPONSES = [
    (404, '{"detail":"Not Found"}', "NOT_FOUND", "-", "Not Found"),
    (404, '{"detail":"The endpoint \'r\' is not present or active on the server"}', "NOT_FOUND", "-", "route's name"),
    (
        422,
        '{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required","input":{}}]}',
        "BAD_REQUEST",
        "-",
        "body.prompt: Field required",
    ),
    (
        404,
        '{"detail":{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"GatewayEndpoint not found (name=\'r\')"}}',
        "NOT_FOUND",
        "RESOURCE_DOES_NOT_EXIST",
        "GatewayEndpoint not found",
    ),
    (
        400,
        '{"detail":{"error":{"message":"context too long","type":"invalid_request_error"}}}',
        "BAD_REQUEST",
        "invalid_request_error",
        "context too long",
    ),
    (403, '{"error_code":"PERMISSION_DENIED","message":"not yours"}', "FORBIDDEN", "PERMISSION_DENIED", "not yours"),
    (500, '{"error":"model crashed"}', "SERVER_ERROR", "-", "model crashed"),
    (429, '{"error":"Rate limit exceeded: 1 per 1 minute"}', "RATE_LIMITED", "-", "Rate limit exceeded: 1 per 1 min"),
    (429, '{"detail":"Budget limit exceeded. Ask finance."}', "BUDGET_EXCEEDED", "-", "Ask finance"),
    (400, '{"detail":"Guardrail \'pii\' blocked: a name"}', "GUARDRAIL_BLOCKED", "-", "Guardrail 'pii' blocked"),
    (401, "You are not authenticated.", "UNAUTHORIZED", "-", "check the credentials"),
    (403, "Permission denied", "FORBIDDEN", "-", "Permission denied"),
    (500, "Internal Server Error", "SERVER_ERROR", "-", "Internal Server Error"),
    (404, PAGE, "NOT_FOUND", "-", 'an HTML page, "Sign in"'),
    (502, "<html><head><title>502 Bad Gateway</title></head>", "SERVER_ERROR", "-", '"502 Bad Gateway"'),
    (503, "", "SERVER_ERROR", "-", "HTTP status 503"),
    (504, PAGE, "SERVER_ERROR", "-", "HTTP status 504"),
    (413, '{"detail":"too large"}', "HTTP_ERROR", "-", "too large"),
    (405, '{"detail":"Method Not Allowed"}', "NOT_FOUND", "-", "Method Not Allowed"),
]

# Bodies under HTTP 200 that are not valid responses.
INVALID_RESPONSES = [
    (PAGE, "BAD_RESPONSE", "the response is an HTML page"),
    ("", "BAD_RESPONSE", "the response is not JSON"),
    ("hello", "BAD_RESPONSE", "the response is not JSON"),
    ('{"choices":[{"text":"Par', "BAD_RESPONSE", "the response is not JSON"),
    ('{"status":"OK"}', "BAD_RESPONSE", "JSON, but not a gateway's response (missing field `choices`"),
    ('{"a":"b"}#', "BAD_RESPONSE", "the response is not JSON (trailing characters at line 1 column 10)"),
    ('{"choices":[{"text":5}]}', "BAD_RESPONSE", "(choices[0].text: a number, expected a string)"),
    ('{"choices":[{"text":"a","finish_reason":NaN}]}', "BAD_RESPONSE", "not JSON (expected value at line 1 column 41)"),
    ('{"choices":[{"text":null}]}', "BAD_RESPONSE", "JSON, but not a gateway's response"),
    ("[" * 10000, "BAD_RESPONSE", "the response"),
    ('{"choices":[]}', "NO_CANDIDATES", "no candidates"),
]


def has_message(outcome: Outcome, phrase: str) -> bool:
    return phrase in outcome.text


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_error_response_has_its_status_and_message(build: Build) -> None:
    def reject(handler: Handler, request: Request) -> None:
        status, body, *_ = ERROR_RESPONSES[int(request.json()["prompt"])]
        handler.respond(status, body)

    with ScriptedGateway(one_route(reject)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(ERROR_RESPONSES))]
        for (http_status, body, status, code, phrase), outcome in zip(ERROR_RESPONSES, call_all(calls, build)):
            assert outcome.status == status, (body, outcome)
            assert outcome.http_status == http_status
            assert outcome.gateway_code == code
            assert outcome.body_len == len(body)
            # A missing path triggers discovery again: the dialect has not changed.
            assert outcome.attempts == 1
            assert has_message(outcome, phrase), outcome
            assert has_message(outcome, f"POST {gateway.url}/")
            assert has_message(outcome, f"HTTP status {http_status}")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_invalid_http_200_has_its_status_and_message(build: Build) -> None:
    def respond(handler: Handler, request: Request) -> None:
        handler.respond(200, INVALID_RESPONSES[int(request.json()["prompt"])][0])

    with ScriptedGateway(one_route(respond)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(INVALID_RESPONSES))]
        for (body, status, phrase), outcome in zip(INVALID_RESPONSES, call_all(calls, build)):
            assert outcome.status == status, (body, outcome)
            assert has_message(outcome, phrase), outcome
            assert outcome.http_status == 200
            assert outcome.body_len == len(body)


TOOL_CALLS = {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}

WITHOUT_TEXT = [
    ({"content": None, "refusal": "I can't"}, "stop", "the model refused: I can't (finish_reason \"stop\")"),
    ({"refusal": "I can't"}, "stop", "the model refused: I can't"),
    ({"content": "", "refusal": "I can't"}, "stop", "the model refused: I can't"),
    ({"content": [{"type": "refusal", "refusal": "I can't"}]}, "stop", "the model refused: I can't"),
    ({"content": None}, "content_filter", "a content filter removed it (finish_reason \"content_filter\")"),
    ({"content": ""}, "content_filter", "a content filter removed it"),
    ({}, "content_filter", "a content filter removed it"),
    ({"content": None, **TOOL_CALLS}, "tool_calls", "tool calls, which mlflow_gateway_send() returns"),
    ({"content": "", **TOOL_CALLS}, "tool_calls", "tool calls"),
    (TOOL_CALLS, "tool_calls", "tool calls"),
    ({"content": None, "reasoning_content": "hm"}, "length", "only reasoning; raise max_tokens if the model had no tokens left"),
    ({"content": "", "reasoning": "hm"}, "length", "(finish_reason \"length\")"),
    ({"content": [{"type": "reasoning", "summary": []}]}, "stop", "only reasoning"),
    ({"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}, "stop", "only images"),
    ({"content": None, "images": [{"type": "image_url"}]}, "stop", "only images"),
    ({"content": []}, "stop", "its content is null or empty"),
    ({"content": None}, None, "the first candidate has no text: its content is null or empty"),
]
"""A message of the assistant, its finish reason, and the expected part of the error message."""

WITH_TEXT = [
    ({"content": ""}, "stop", ""),
    ({"content": "", "refusal": None, "tool_calls": [], "reasoning_content": "", "images": []}, "stop", ""),
    ({"content": "x", "refusal": "I can't", "reasoning_content": "hm", **TOOL_CALLS}, "content_filter", "x"),
    ({"content": [{"type": "text", "text": "x"}, {"type": "image_url"}]}, "stop", "x"),
]


@pytest.mark.parametrize("key", ["choices", "candidates"])
def test_response_without_text_is_no_text_and_names_the_reason(key: str) -> None:
    """The error message of `mlflow_gateway_call` names what the model returned instead."""
    rows = [*WITHOUT_TEXT, *WITH_TEXT]

    def respond(handler: Handler, request: Request) -> None:
        message, reason, _ = rows[int(request.json()["messages"][0]["content"])]
        candidate = {"message": {"role": "assistant", **message}, "finish_reason": reason}
        handler.respond(200, {key: [{**candidate, "metadata": {"finish_reason": reason}}]})

    with ScriptedGateway(one_route(respond, CHAT_ROUTE)) as gateway:
        outcomes = call_all([(gateway.url, "r", str(number)) for number in range(len(rows))])
    for (message, reason, phrase), outcome in zip(WITHOUT_TEXT, outcomes):
        assert (outcome.status, outcome.http_status) == ("NO_TEXT", 200), (message, outcome)
        assert has_message(outcome, phrase) and outcome.body_len > 50, (message, outcome)
    for (message, _, text), outcome in zip(WITH_TEXT, outcomes[len(WITHOUT_TEXT) :]):
        assert (outcome.status, outcome.text) == ("OK", text), (message, outcome)


def test_require_text_lets_a_send_fail_like_a_call() -> None:
    """The option of a request takes precedence over the handle's. Streams are not affected."""

    def respond(handler: Handler, request: Request) -> None:
        message, reason, _ = WITHOUT_TEXT[int(request.json()["messages"][0]["content"])]
        handler.respond(200, {"choices": [{"message": message, "finish_reason": reason}]})

    with ScriptedGateway(one_route(respond, CHAT_ROUTE)) as gateway:
        for number in range(len(WITHOUT_TEXT)):
            prompt = f"prompt {number}"
            called, without, of_request, queued, of_handle, overridden, stream = perform_all(
                gateway.url, f"call {number}", prompt, "send",
                "option require_text=true", "send", "queue-send",
                "handle-option require_text=true", "again", prompt, "send",
                "option require_text=false", "send", "again", f"message user={number}", "stream",
            )  # fmt: skip
            assert called.status == "NO_TEXT" and called.message.startswith(f"POST {gateway.url}"), called
            for failed in (of_request, queued, of_handle):
                assert (failed.status, failed.message, failed.error_attempts) == ("NO_TEXT", called.message, 1), failed
            assert {without.status, overridden.status} == {"OK"} and stream.status == "STREAM_END"


def test_filtered_completion_is_no_text() -> None:
    def respond(handler: Handler, request: Request) -> None:
        handler.respond(200, {"choices": [{"text": "", "finish_reason": request.json()["prompt"]}]})

    with ScriptedGateway(one_route(respond)) as gateway:
        filtered, whole = call_all([(gateway.url, "r", "content_filter"), (gateway.url, "r", "stop")])
    assert filtered.status == "NO_TEXT" and has_message(filtered, "a content filter removed it")
    assert (whole.status, whole.text) == ("OK", "")


ERRORS_IN_SUCCESSES = [
    ({"message": "m", "code": 429}, "RATE_LIMITED", "429", "m"),
    ({"message": "m", "code": "429", "type": "x"}, "RATE_LIMITED", "429", "m"),
    ({"message": "m", "type": "rate_limit_error"}, "RATE_LIMITED", "rate_limit_error", "m"),
    ({"message": "429: Budget limit exceeded. Later.", "type": "HTTPException"}, "BUDGET_EXCEEDED", "HTTPException",
     "Budget limit exceeded. Later; a retry does not help"),
    ({"message": "Guardrail 'x' blocked: y", "type": "GuardrailViolation"}, "GUARDRAIL_BLOCKED", "GuardrailViolation",
     "Guardrail 'x' blocked: y"),
    ({"message": "m", "code": 401}, "UNAUTHORIZED", "401", "m; check the credentials"),
    ({"message": "m", "code": 400}, "BAD_REQUEST", "400", "m"),
    ({"message": "m", "code": "model_not_found"}, "NOT_FOUND", "model_not_found", "m"),
    ({"message": "out of order"}, "SERVER_ERROR", "-", "the response is an error: out of order; the gateway or"),
    ("plain", "SERVER_ERROR", "-", "the response is an error: plain"),
    (["a", "b"], "SERVER_ERROR", "-", "a; b"),
    (True, "SERVER_ERROR", "-", "true"),
]  # fmt: skip
"""An error under HTTP 200, and the expected status, code, and message."""


@pytest.mark.parametrize("other_fields", [{}, {"choices": None}, {"choices": [{"text": "half"}]}], ids=str)
def test_error_under_http_200_has_the_status_of_the_provider(other_fields: dict) -> None:
    def respond(handler: Handler, request: Request) -> None:
        handler.respond(200, {**other_fields, "error": ERRORS_IN_SUCCESSES[int(request.json()["prompt"])][0]})

    with ScriptedGateway(one_route(respond)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(ERRORS_IN_SUCCESSES))]
        for (error, status, code, phrase), outcome in zip(ERRORS_IN_SUCCESSES, call_all(calls)):
            assert (outcome.status, outcome.gateway_code, outcome.http_status) == (status, code, 200), (error, outcome)
            assert has_message(outcome, phrase) and outcome.body_len > 0, (error, outcome)
            assert outcome.attempts == 1, "the model may have run, and cost money"


OTHER_ERRORS = [
    ('{"error_code":"PERMISSION_DENIED","message":"m"}', "FORBIDDEN", "PERMISSION_DENIED"),
    ('{"detail":"d"}', "SERVER_ERROR", "-"),
    ('{"object":"error","message":"m","code":400}', "BAD_REQUEST", "400"),
    ('{"status_code":500,"message":"m"}', "SERVER_ERROR", "-"),
    ('{"type":"error","error":{"type":"overloaded_error","message":"m"}}', "SERVER_ERROR", "overloaded_error"),
]
"""Errors of other shapes under HTTP 200."""


def test_error_under_http_200_is_recognized_in_every_shape() -> None:
    def respond(handler: Handler, request: Request) -> None:
        handler.respond(200, OTHER_ERRORS[int(request.json()["prompt"])][0])

    with ScriptedGateway(one_route(respond)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(OTHER_ERRORS))]
        for (body, status, code), outcome in zip(OTHER_ERRORS, call_all(calls)):
            assert (outcome.status, outcome.gateway_code) == (status, code), (body, outcome)


NO_ERRORS = ["null", "false", "0", "-0.0", '""', "[]", "[ ]", "{}"]
"""Values that openai-python does not take for an error."""


@pytest.mark.parametrize("error", NO_ERRORS)
def test_empty_error_field_is_not_an_error(error: str) -> None:
    def respond(handler: Handler, request: Request) -> None:
        handler.respond(200, '{"choices":[{"text":"x"}],"error":%s}' % error)

    with ScriptedGateway(one_route(respond)) as gateway:
        outcome = call(gateway.url, "hi")
    assert (outcome.status, outcome.text) == ("OK", "x"), outcome


def test_last_of_duplicate_fields_counts() -> None:
    """Most parsers use the last one."""

    def respond(handler: Handler, request: Request) -> None:
        handler.respond(
            200,
            '{"model":"a","model":"b","choices":[{"finish_reason":"x","text":"t","finish_reason":"stop"}],'
            '"usage":{"prompt_tokens":1,"prompt_tokens":2},"error":"","error":null}',
        )

    with ScriptedGateway(one_route(respond)) as gateway:
        response = perform(gateway.url, "prompt hi", "send").response
    assert (response.texts, response.model, response.usage) == (["t"], "b", [2, -1, -1])
    assert response.candidates[0].finish_reason == "stop"


def test_retry_after_and_64_kib_of_the_body_are_kept() -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(429, b"\0\xff" * 50_000, {"Retry-After": request.json()["prompt"]})

    with ScriptedGateway(one_route(reject)) as gateway:
        outcome = call(gateway.url, "7")
        assert (outcome.retry_after_ms, outcome.body_len) == (7000, 64 * 1024)
        assert call(gateway.url, "Wed, 21 Oct 2015 07:28:00 GMT").retry_after_ms == 0
        assert call(gateway.url, "later").retry_after_ms == -1


def test_credentials_repeated_by_the_server_are_masked() -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(401, f"go away, {request.headers['authorization']} with {request.headers['x-key']}")

    with ScriptedGateway(one_route(reject)) as gateway:
        outcome = call(gateway.url, "hi", "header:Authorization=Bearer hunter2", "header:X-Key=swordfish")
        assert outcome.status == "UNAUTHORIZED" and "go away, *** with ***" in outcome.text, outcome


def test_redirect_error_names_the_target_without_credentials() -> None:
    def redirect(handler: Handler, request: Request) -> None:
        handler.respond(302, "", {"Location": "https://u:hunter2@other.example/login?token=hunter2"})

    with ScriptedGateway(one_route(redirect)) as gateway:
        outcome = call(gateway.url, "x")
        assert (outcome.status, outcome.http_status) == ("HTTP_ERROR", 302)
        assert has_message(outcome, "https://***@other.example/login") and not has_message(outcome, "hunter2")


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (lambda handler: handler.reset(), "CONNECTION_LOST"),
        (lambda handler: handler.raw(b""), "CONNECTION_LOST"),
        (lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\nContent-Le"), "CONNECTION_LOST"),
        (lambda handler: handler.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"'), "CONNECTION_LOST"),
        (lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), "CONNECTION_LOST"),
        (lambda handler: handler.raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "BAD_RESPONSE"),
    ],
    ids=["reset", "closed", "cut head", "cut body", "cut chunk", "not HTTP"],
)
def test_broken_connection_has_its_status_and_is_not_retried(fault: object, status: str) -> None:
    with ScriptedGateway(one_route(lambda handler, request: fault(handler))) as gateway:
        # New connections only: a request lost by an idle one is sent again, see test_idle_connections.py.
        outcome = call(gateway.url, "x", "option:timeout_ms=5000", "option:max_connections=0")
        assert outcome.status == status, outcome
        assert outcome.attempts == 1, "a request that may have been processed is not retried"
        assert outcome.http_status == 0


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_unreachable_or_invalid_uri_has_its_status_and_advice(build: Build) -> None:
    with refused_port() as port:
        refused = f"http://127.0.0.1:{port}"
        rows = [
            (refused, "CONNECT_FAILED", "check that the gateway runs"),
            ("http://no-such-host.invalid", "RESOLVE_FAILED", "check the gateway URI"),
            ("127.0.0.1:5000", "INVALID_URI", "write http://127.0.0.1:5000"),
            ("ftp://127.0.0.1", "INVALID_URI", "supported are http:// and https://"),
            ("http://user:hunter2@127.0.0.1", "INVALID_URI", "set the options username and password"),
        ]
        outcomes = call_all([(uri, "r", "x", "option:timeout_ms=10000") for uri, *_ in rows[:2]], build)
        outcomes += call_all([(uri, "r", "x") for uri, *_ in rows[2:]], build)
        for (uri, status, phrase), outcome in zip(rows, outcomes):
            assert outcome.status == status, outcome
            assert has_message(outcome, phrase), outcome
            assert not has_message(outcome, "hunter2")


@three_attempts
def test_call_times_out_at_timeout_ms_in_every_phase() -> None:
    def stall(handler: Handler, request: Request) -> None:
        handler.stall()

    def respond_in_part(handler: Handler, request: Request) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"')
        handler.stall()

    def trickle(handler: Handler, request: Request) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while True:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.02)

    @three_attempts
    def timed(url: str) -> None:
        start = time.monotonic()
        outcome = call(url, "x", "option:timeout_ms=600")
        elapsed = time.monotonic() - start
        assert outcome.status == "TIMEOUT", outcome
        assert has_message(outcome, "600 ms") and has_message(outcome, "timeout_ms")
        assert 0.55 < elapsed < 1.0, elapsed

    SHARED.compile("calls.c")
    for script in (stall, one_route(stall), one_route(respond_in_part), one_route(trickle)):
        with ScriptedGateway(script) as gateway:
            timed(gateway.url)
    with unreachable_port() as port:
        timed(f"http://127.0.0.1:{port}")


def test_minimal_example_reads_the_gateway_uri_from_the_environment() -> None:
    """The example minimal.c passes no URI."""
    with ScriptedGateway(
        one_route(lambda handler, request: handler.respond(200, '{"choices":[{"text":"Paris"}]}'))
    ) as g:
        for environment in ({"MLFLOW_GATEWAY_URI": g.url}, {"MLFLOW_DEPLOYMENTS_TARGET": g.url}):
            done = SHARED.run("minimal.c", environment=environment)
            assert (done.returncode, done.stdout, done.stderr) == (0, "Paris\n", "")
        both = {"MLFLOW_GATEWAY_URI": g.url, "MLFLOW_DEPLOYMENTS_TARGET": "http://127.0.0.1:1"}
        assert SHARED.run("minimal.c", environment=both).stdout == "Paris\n"
        empty = {"MLFLOW_GATEWAY_URI": "", "MLFLOW_DEPLOYMENTS_TARGET": g.url}
        assert SHARED.run("minimal.c", environment=empty).stdout == "Paris\n"
    done = SHARED.run("minimal.c")
    assert done.returncode == 1
    assert "set the environment variable MLFLOW_GATEWAY_URI" in done.stderr
    done = SHARED.run("minimal.c", environment={"MLFLOW_GATEWAY_URI": "localhost:5000"})
    assert "no scheme" in done.stderr and "from the environment variable MLFLOW_GATEWAY_URI" in done.stderr
