"""Every refusal, every wrong answer and every broken connection has its status and says what to do."""

import contextlib
import time

import pytest
from asks import ask
from builds import ALL, SHARED, Build
from calls import Outcome, call, call_all
from chances import three_chances
from scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, answering, refused_port, unreachable_port

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"

# What the gateway answers, and what has to come of it: the table of error bodies, row by row.
REFUSALS = [
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

# Successes that are none.
WRONG_ANSWERS = [
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


def said(outcome: Outcome, words: str) -> bool:
    return words in outcome.text


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_refusal_has_its_status(build: Build) -> None:
    def refuse(handler: Handler, request: Request) -> None:
        status, body, *_ = REFUSALS[int(request.json()["prompt"])]
        handler.answer(status, body)

    with ScriptedGateway(answering(refuse)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(REFUSALS))]
        for (http_status, body, status, code, words), outcome in zip(REFUSALS, call_all(calls, build)):
            assert outcome.status == status, (body, outcome)
            assert outcome.http_status == http_status
            assert outcome.gateway_code == code
            assert outcome.body_len == len(body)
            # Where the path is missing, the server is asked what it speaks now: it has not changed.
            assert outcome.attempts == 1
            assert said(outcome, words), outcome
            assert said(outcome, f"POST {gateway.url}/")
            assert said(outcome, f"HTTP status {http_status}")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_a_success_that_is_none_has_its_status(build: Build) -> None:
    def answer(handler: Handler, request: Request) -> None:
        handler.answer(200, WRONG_ANSWERS[int(request.json()["prompt"])][0])

    with ScriptedGateway(answering(answer)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(WRONG_ANSWERS))]
        for (body, status, words), outcome in zip(WRONG_ANSWERS, call_all(calls, build)):
            assert outcome.status == status, (body, outcome)
            assert said(outcome, words), outcome
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
"""A message of the assistant, its finish reason, and what the error says."""

WITH_TEXT = [
    ({"content": ""}, "stop", ""),
    ({"content": "", "refusal": None, "tool_calls": [], "reasoning_content": "", "images": []}, "stop", ""),
    ({"content": "x", "refusal": "I can't", "reasoning_content": "hm", **TOOL_CALLS}, "content_filter", "x"),
    ({"content": [{"type": "text", "text": "x"}, {"type": "image_url"}]}, "stop", "x"),
]


@pytest.mark.parametrize("key", ["choices", "candidates"])
def test_response_without_text_is_no_empty_text(key: str) -> None:
    """Whatever the model gave in its place, `mlflow_gateway_call` says what it is."""
    rows = [*WITHOUT_TEXT, *WITH_TEXT]

    def answer(handler: Handler, request: Request) -> None:
        message, reason, _ = rows[int(request.json()["messages"][0]["content"])]
        candidate = {"message": {"role": "assistant", **message}, "finish_reason": reason}
        handler.answer(200, {key: [{**candidate, "metadata": {"finish_reason": reason}}]})

    with ScriptedGateway(answering(answer, CHAT_ROUTE)) as gateway:
        outcomes = call_all([(gateway.url, "r", str(number)) for number in range(len(rows))])
    for (message, reason, words), outcome in zip(WITHOUT_TEXT, outcomes):
        assert (outcome.status, outcome.http_status) == ("NO_TEXT", 200), (message, outcome)
        assert said(outcome, words) and outcome.body_len > 50, (message, outcome)
    for (message, _, text), outcome in zip(WITH_TEXT, outcomes[len(WITHOUT_TEXT) :]):
        assert (outcome.status, outcome.text) == ("OK", text), (message, outcome)


def test_completion_that_a_filter_removed_is_no_empty_text() -> None:
    def answer(handler: Handler, request: Request) -> None:
        handler.answer(200, {"choices": [{"text": "", "finish_reason": request.json()["prompt"]}]})

    with ScriptedGateway(answering(answer)) as gateway:
        filtered, whole = call_all([(gateway.url, "r", "content_filter"), (gateway.url, "r", "stop")])
    assert filtered.status == "NO_TEXT" and said(filtered, "a content filter removed it")
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
"""An error under a success: its status, its code and its words."""


@pytest.mark.parametrize("beside", [{}, {"choices": None}, {"choices": [{"text": "half"}]}], ids=str)
def test_error_under_a_success_is_the_providers_error(beside: dict) -> None:
    def answer(handler: Handler, request: Request) -> None:
        handler.answer(200, {**beside, "error": ERRORS_IN_SUCCESSES[int(request.json()["prompt"])][0]})

    with ScriptedGateway(answering(answer)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(ERRORS_IN_SUCCESSES))]
        for (error, status, code, words), outcome in zip(ERRORS_IN_SUCCESSES, call_all(calls)):
            assert (outcome.status, outcome.gateway_code, outcome.http_status) == (status, code, 200), (error, outcome)
            assert said(outcome, words) and outcome.body_len > 0, (error, outcome)
            assert outcome.attempts == 1, "the model may have worked, and been paid"


OTHER_ERRORS = [
    ('{"error_code":"PERMISSION_DENIED","message":"m"}', "FORBIDDEN", "PERMISSION_DENIED"),
    ('{"detail":"d"}', "SERVER_ERROR", "-"),
    ('{"object":"error","message":"m","code":400}', "BAD_REQUEST", "400"),
    ('{"status_code":500,"message":"m"}', "SERVER_ERROR", "-"),
    ('{"type":"error","error":{"type":"overloaded_error","message":"m"}}', "SERVER_ERROR", "overloaded_error"),
]
"""Errors of other shapes under a success."""


def test_every_shape_of_an_error_under_a_success_is_understood() -> None:
    def answer(handler: Handler, request: Request) -> None:
        handler.answer(200, OTHER_ERRORS[int(request.json()["prompt"])][0])

    with ScriptedGateway(answering(answer)) as gateway:
        calls = [(gateway.url, "r", str(number)) for number in range(len(OTHER_ERRORS))]
        for (body, status, code), outcome in zip(OTHER_ERRORS, call_all(calls)):
            assert (outcome.status, outcome.gateway_code) == (status, code), (body, outcome)


NO_ERRORS = ["null", "false", "0", "-0.0", '""', "[]", "[ ]", "{}"]
"""What openai-python takes for no error."""


@pytest.mark.parametrize("error", NO_ERRORS)
def test_error_that_says_nothing_is_no_error(error: str) -> None:
    def answer(handler: Handler, request: Request) -> None:
        handler.answer(200, '{"choices":[{"text":"x"}],"error":%s}' % error)

    with ScriptedGateway(answering(answer)) as gateway:
        outcome = call(gateway.url, "hi")
    assert (outcome.status, outcome.text) == ("OK", "x"), outcome


def test_field_beside_the_text_may_come_twice() -> None:
    """The last one counts, as in most parsers."""

    def answer(handler: Handler, request: Request) -> None:
        handler.answer(
            200,
            '{"model":"a","model":"b","choices":[{"finish_reason":"x","text":"t","finish_reason":"stop"}],'
            '"usage":{"prompt_tokens":1,"prompt_tokens":2},"error":"","error":null}',
        )

    with ScriptedGateway(answering(answer)) as gateway:
        response = ask(gateway.url, "prompt hi", "send").response
    assert (response.texts, response.model, response.usage) == (["t"], "b", [2, -1, -1])
    assert response.candidates[0].finish_reason == "stop"


def test_retry_after_and_the_body_are_kept() -> None:
    def refuse(handler: Handler, request: Request) -> None:
        handler.answer(429, b"\0\xff" * 50_000, {"Retry-After": request.json()["prompt"]})

    with ScriptedGateway(answering(refuse)) as gateway:
        outcome = call(gateway.url, "7")
        assert (outcome.retry_after_ms, outcome.body_len) == (7000, 64 * 1024)
        assert call(gateway.url, "Wed, 21 Oct 2015 07:28:00 GMT").retry_after_ms == 0
        assert call(gateway.url, "later").retry_after_ms == -1


def test_a_secret_that_the_server_repeats_is_masked() -> None:
    def refuse(handler: Handler, request: Request) -> None:
        handler.answer(401, f"go away, {request.headers['authorization']} with {request.headers['x-key']}")

    with ScriptedGateway(answering(refuse)) as gateway:
        outcome = call(gateway.url, "hi", "header:Authorization=Bearer hunter2", "header:X-Key=swordfish")
        assert outcome.status == "UNAUTHORIZED" and "go away, *** with ***" in outcome.text, outcome


def test_a_redirect_says_where_to() -> None:
    def redirect(handler: Handler, request: Request) -> None:
        handler.answer(302, "", {"Location": "https://u:hunter2@other.example/login?token=hunter2"})

    with ScriptedGateway(answering(redirect)) as gateway:
        outcome = call(gateway.url, "x")
        assert (outcome.status, outcome.http_status) == ("HTTP_ERROR", 302)
        assert said(outcome, "https://***@other.example/login") and not said(outcome, "hunter2")


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
def test_a_broken_connection(fault: object, status: str) -> None:
    with ScriptedGateway(answering(lambda handler, request: fault(handler))) as gateway:
        # On a new connection: what an idle one loses at once is sent again, as test_idle_connections.py shows.
        outcome = call(gateway.url, "x", "option:timeout_ms=5000", "option:max_connections=0")
        assert outcome.status == status, outcome
        assert outcome.attempts == 1, "a question that may have been processed is not asked again"
        assert outcome.http_status == 0


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_no_gateway_there(build: Build) -> None:
    with refused_port() as port:
        refused = f"http://127.0.0.1:{port}"
        rows = [
            (refused, "CONNECT_FAILED", "check that the gateway runs"),
            ("http://no-such-host.invalid", "RESOLVE_FAILED", "check the gateway URI"),
            ("127.0.0.1:5000", "INVALID_URI", "write http://127.0.0.1:5000"),
            ("ftp://127.0.0.1", "INVALID_URI", "http:// and https:// are understood"),
            ("http://user:hunter2@127.0.0.1", "INVALID_URI", "set the options username and password"),
        ]
        outcomes = call_all([(uri, "r", "x", "option:timeout_ms=10000") for uri, *_ in rows[:2]], build)
        outcomes += call_all([(uri, "r", "x") for uri, *_ in rows[2:]], build)
        for (uri, status, words), outcome in zip(rows, outcomes):
            assert outcome.status == status, outcome
            assert said(outcome, words), outcome
            assert not said(outcome, "hunter2")


def test_deadlines_hold() -> None:
    def stalls(handler: Handler, request: Request) -> None:
        handler.stall()

    def answers_in_part(handler: Handler, request: Request) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"')
        handler.stall()

    def trickles(handler: Handler, request: Request) -> None:
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n")
            while True:
                handler.wfile.write(b" ")
                handler.wfile.flush()
                time.sleep(0.02)

    @three_chances
    def timed(url: str) -> None:
        start = time.monotonic()
        outcome = call(url, "x", "option:timeout_ms=600")
        elapsed = time.monotonic() - start
        assert outcome.status == "TIMEOUT", outcome
        assert said(outcome, "600 ms") and said(outcome, "timeout_ms")
        assert 0.55 < elapsed < 1.0, elapsed

    SHARED.compile("calls.c")
    for script in (stalls, answering(stalls), answering(answers_in_part), answering(trickles)):
        with ScriptedGateway(script) as gateway:
            timed(gateway.url)
    with unreachable_port() as port:
        timed(f"http://127.0.0.1:{port}")


def test_the_environment_names_the_gateway() -> None:
    """The example minimal.c passes no URI."""
    with ScriptedGateway(answering(lambda handler, request: handler.answer(200, '{"choices":[{"text":"Paris"}]}'))) as g:
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
