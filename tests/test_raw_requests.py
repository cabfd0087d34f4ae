"""Raw requests: any method and path below the gateway URI, sent unchanged, with the unchanged response."""

import json
from typing import Optional

import pytest
from support.builds import CHECKED, SHARED, Build
from support.operations import OTHER, Outcome, escaped, perform, perform_all
from support.scripted_gateway import Handler, Request, Script, ScriptedGateway
from support.timing import three_attempts

BUILDS = pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
BODY = ' {"model": "m" ,\n "stream":true, "input" : "\\u00e9 é"}\t'
KEY = "hunter2"
SECRET_PATH = f"/v1beta/models/g:generateContent?alt=sse&key={KEY}"


def responding_with(status: int, body: object, headers: Optional[dict[str, str]] = None) -> Script:
    return lambda handler, request: handler.respond(status, body, headers)


def parts(request: Request) -> tuple[str, str, bytes, Optional[str], Optional[str]]:
    names = {name.lower(): value for name, value in request.headers.items()}
    return request.method, request.path, request.body, names.get("content-type"), names.get("content-length")


@BUILDS
def test_raw_request_is_sent_unchanged(build: Build) -> None:
    body, length = BODY.encode(), str(len(BODY.encode()))
    rows: list[tuple[list[str], tuple]] = [
        (["path - /x"], ("GET", "/x", b"", None, None)),
        (["path - /x?a=b&c=%20", f"body {escaped(BODY)}"], ("POST", "/x?a=b&c=%20", body, "application/json", length)),
        ([f"body {escaped(BODY)}", "path GET /x"], ("GET", "/x", body, "application/json", length)),
        (["path POST /x"], ("POST", "/x", b"", None, "0")),
        (["path PATCH /x"], ("PATCH", "/x", b"", None, "0")),
        (["path PUT /x", "body {}"], ("PUT", "/x", b"{}", "application/json", "2")),
        (["path DELETE /a/b..c/%41:d?e=/../f"], ("DELETE", "/a/b..c/%41:d?e=/../f", b"", None, None)),
        (["path QUERY /", f"body {escaped(BODY)}"], ("QUERY", "/", body, "application/json", length)),
    ]
    with ScriptedGateway(responding_with(200, "fine")) as gateway:
        commands = [command for commands, _ in rows for command in ("again", *commands, "send")]
        outcomes = perform_all(gateway.url, "handle-param temperature=1", *commands, build=build)
        assert [outcome.status for outcome in outcomes] == ["OK"] * len(rows), outcomes
        assert [parts(request) for request in gateway.requests] == [expected for _, expected in rows]


def test_path_is_appended_to_the_gateway_uri() -> None:
    with ScriptedGateway(responding_with(200, "")) as gateway:
        for mounted in ("/ml/flow", "/ml/flow/"):
            assert perform(gateway.url + mounted, "path - /a?b", "send").status == "OK"
        assert gateway.paths() == ["GET /ml/flow/a?b"] * 2


@BUILDS
def test_any_2xx_reply_is_a_response(build: Build) -> None:
    chat = {"model": "m", "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    responses = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "hi"}]}], "model": "m"}
    rows: list[tuple[int, object, list]] = [
        (200, chat, ["hi"]),
        (201, chat, ["hi"]),
        (200, responses, []),
        (200, {"role": "assistant", "content": [{"type": "text", "text": "hi"}]}, []),
        (200, {"messages": [{"role": "assistant", "content": "x"}]}, []),
        (200, {"candidates": [{"content": {"parts": [{"text": "hi"}]}}]}, []),
        (200, {"error": {"message": "m", "code": 429}}, []),
        (200, {"choices": []}, []),
        (200, {"choices": 5}, []),
        (200, '{"choices": [', []),
        (200, "<html>", []),
        (200, "data: {}\n\n", []),
        (200, "\0", []),
        (200, b"\xff\0\x80", []),
        (200, "", []),
        (204, "", []),
    ]
    remaining = iter(rows)

    def script(handler: Handler, request: Request) -> None:
        status, body, _ = next(remaining)
        handler.respond(status, body)

    with ScriptedGateway(script) as gateway:
        outcomes = perform_all(gateway.url, "path - /x", *["send"] * len(rows), build=build)
        assert gateway.connections == 1, "the connection is reused"
    for outcome, (status, body, texts) in zip(outcomes, rows):
        assert outcome.status == "OK", (body, outcome)
        assert (outcome.response.http_status, outcome.response.texts) == (status, texts), body
        is_text = not isinstance(body, bytes)
        sent = body if isinstance(body, str) else json.dumps(body) if is_text else "not UTF-8, 3 bytes"
        assert outcome.response.body == sent
        assert outcome.response.attempts == 1
    assert (outcomes[0].response.model, outcomes[0].response.usage) == ("m", [-1, -1, 3])


def test_response_to_head_has_no_body() -> None:
    def script(handler: Handler, request: Request) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "12345")
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("X-A", "b")
        handler.end_headers()

    with ScriptedGateway(script) as gateway:
        outcomes = perform_all(gateway.url, "show-header X-A", "path HEAD /x", "send", "send")
        for outcome in outcomes:
            assert (outcome.status, outcome.response.body, outcome.response.headers) == ("OK", "", ["b"]), outcome
        assert (gateway.paths(), gateway.connections) == (["HEAD /x"] * 2, 1)


@BUILDS
def test_error_response_has_its_status_and_no_query_in_messages(build: Build) -> None:
    rows = [
        (400, {"error": {"message": f"no {KEY}"}}, "BAD_REQUEST"),
        (401, {"detail": "who?"}, "UNAUTHORIZED"),
        (404, {"detail": "Not Found"}, "NOT_FOUND"),
        (404, {"detail": {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no endpoint"}}, "NOT_FOUND"),
        (405, "", "NOT_FOUND"),
        (302, "", "HTTP_ERROR"),
        (500, "x", "SERVER_ERROR"),
    ]
    for status, body, expected in rows:
        with ScriptedGateway(responding_with(status, body)) as gateway:
            commands = ("handle-option max_retries=0", "log 3", "show-body", f"path POST {SECRET_PATH}", "send")
            outcome = perform(gateway.url, *commands, build=build)
            url = f"POST {gateway.url}/v1beta/models/g:generateContent"
        assert (outcome.status, outcome.error_http_status) == (expected, status), outcome
        assert outcome.message.startswith(f"{url}: HTTP status {status}"), outcome
        assert [line.text.startswith(f"{url}: ") for line in outcome.log] == [True], outcome.log
        printed = "".join(line.text for line in outcome.log) + outcome.message
        assert KEY not in printed and "alt=sse" not in printed and KEY.encode() not in outcome.error_body
        if expected == "NOT_FOUND":
            assert "check the method and the path, which is relative to the gateway URI" in outcome.message


def failing(*failures: object) -> Script:
    """Fails in these ways in turn, by a status or by closing the connection, and then succeeds."""
    remaining = iter(failures)

    def script(handler: Handler, request: Request) -> None:
        failure = next(remaining, 200)
        if isinstance(failure, int):
            handler.respond(failure, "x")
        else:
            handler.raw(b"")

    return script


LOST = "lost"
MAX_RETRIES = 4
RETRYING = ("handle-option retry_backoff_ms=1", "handle-option max_retries=3")


@pytest.mark.parametrize(
    ("method", "failure", "sent"),
    [
        *(("GET", failure, 2) for failure in (429, 500, 502, 503, LOST)),
        ("GET", 504, 1),
        ("HEAD", LOST, 2),
        *(("POST", failure, 2) for failure in (429, 500, 502, 503)),
        ("POST", LOST, 1),
        *((method, failure, 2) for method in ("PUT", "PATCH", "DELETE", "QUERY") for failure in (429, 503)),
        *((method, failure, 1) for method in ("PUT", "PATCH", "DELETE", "QUERY") for failure in (500, 502, LOST)),
    ],
)
def test_retries_depend_on_method_and_failure(method: str, failure: object, sent: int) -> None:
    """Error statuses of HEAD are not tested: the script would have to omit the body."""
    with ScriptedGateway(failing(failure)) as gateway:
        outcome = perform(gateway.url, *RETRYING, f"path {method} /x", "send")
        assert gateway.paths() == [f"{method} /x"] * sent, outcome
    if sent == 2 and method != "HEAD":
        assert (outcome.status, outcome.response.attempts, len(outcome.response.retries)) == ("OK", 2, 1), outcome


def test_lost_get_is_retried_at_most_max_retries_times() -> None:
    with ScriptedGateway(failing(*[LOST] * 9)) as gateway:
        settings = ("handle-option retry_backoff_ms=1", f"handle-option max_retries={MAX_RETRIES}")
        outcome = perform(gateway.url, *settings, "path GET /x", "send")
        assert (outcome.status, outcome.error_attempts) == ("CONNECTION_LOST", 1 + MAX_RETRIES)
        assert perform(gateway.url, "handle-option max_retries=0", "path GET /x", "send").error_attempts == 1


def test_put_and_delete_do_not_use_an_idle_connection() -> None:
    with ScriptedGateway(responding_with(200, "")) as gateway:
        perform_all(gateway.url, *(f"path {method} /x" if sends is None else "send"
                               for method in ("GET", "POST", "GET", "PUT", "DELETE") for sends in (None, 1)))  # fmt: skip
        assert gateway.connections == 3


def outcome_of(script: Script, *commands: str, build: Build = SHARED) -> Outcome:
    with ScriptedGateway(script) as gateway:
        return perform(gateway.url, *commands, "send", build=build)


@BUILDS
def test_credentials_headers_and_options_apply_to_raw_requests(build: Build) -> None:
    received: list[dict[str, str]] = []

    def script(handler: Handler, request: Request) -> None:
        received.append({name.lower(): value for name, value in request.headers.items()})
        handler.respond(200, "x" * 5000)

    commands = ("handle-option bearer_token=t", "handle-header X-A=1", "header X-B=2", "path - /x")
    assert outcome_of(script, *commands, build=build).status == "OK"
    assert [received[0][name] for name in ("authorization", "x-a", "x-b")] == ["Bearer t", "1", "2"]
    limited = outcome_of(script, "option max_response_bytes=4999", "path - /x", build=build)
    assert (limited.status, "max_response_bytes" in limited.message) == ("RESPONSE_TOO_LARGE", True)
    insecure = perform("http://192.0.2.1", "handle-option bearer_token=t", "path - /x", "send", build=build)
    assert insecure.status == "INSECURE_AUTH"


def test_response_to_get_may_exceed_the_limit_of_a_route_list() -> None:
    length = 17 * 1024 * 1024
    outcome = outcome_of(responding_with(200, b"x" * length), "path GET /x")
    assert outcome.status == "OK" and len(outcome.response.body) == length


@pytest.mark.parametrize(("settings", "status"), [(["option timeout_ms=200"], "TIMEOUT"), (["request-token", "cancel-after 200"], "CANCELLED")])
@three_attempts
def test_raw_request_obeys_timeout_and_cancel_token(settings: list[str], status: str) -> None:
    outcome = outcome_of(lambda handler, request: handler.stall(), f"path - {SECRET_PATH}", *settings)
    assert (outcome.status, outcome.took_us < 400_000) == (status, True), outcome
    assert outcome.message.startswith("GET http://127.0.0.1:") and KEY not in outcome.message


def test_nothing_is_sent_if_the_token_is_already_cancelled() -> None:
    with ScriptedGateway(responding_with(200, "")) as gateway:
        outcomes = perform_all(
            gateway.url, "path - /x", "token", "cancel", "send", "no-token", "request-token", "cancel", "send"
        )
        assert [outcome.status for outcome in outcomes] == ["CANCELLED"] * 2
        assert gateway.requests == []


def test_redirect_on_the_same_server_is_followed() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path.startswith("/old"):
            handler.respond(307, "", {"Location": f"/new?key={KEY}"})
        else:
            handler.respond(200, request.body)

    with ScriptedGateway(script) as gateway:
        outcome = perform(gateway.url, "handle-option max_redirects=1", "log 3", "path - /old?a", "body {}", "send")
        assert (outcome.response.body, gateway.paths()) == ("{}", ["POST /old?a", f"POST /new?key={KEY}"])
    assert not any(KEY in line.text for line in outcome.log)


@pytest.mark.parametrize(("method", "status"), [("GET", "OK"), ("POST", "OK"), ("DELETE", "CONNECTION_LOST")])
@three_attempts
def test_request_lost_by_an_idle_connection_is_sent_again(method: str, status: str) -> None:
    """A request that must not be sent twice does not use an idle connection."""
    with ScriptedGateway(failing(200, LOST)) as gateway:
        outcomes = perform_all(gateway.url, f"path {method} /x", "send", "send")
        assert [outcome.status for outcome in outcomes] == ["OK", status], outcomes
        assert len(gateway.requests) == (2 if method == "DELETE" else 3)


# Streams


STREAM = (
    ": hello\n\nevent: message_start\ndata: {\"type\": \"message_start\"}\n\n"
    "data: {\"a\":\ndata:  1}\n\n"
    "event: ping\ndata: no JSON, \"error\"\n\nevent: nothing\n\n"
    "data: {\"error\": {\"message\": \"no\"}}\n\ndata: {\"choices\": [{\"delta\": {\"content\": \"hi\"}}]}\n\n"
)
EVENTS = [
    ("message_start", '{"type": "message_start"}'),
    (None, '{"a":\n 1}'),
    ("ping", 'no JSON, "error"'),
    (None, '{"error": {"message": "no"}}'),
    (None, '{"choices": [{"delta": {"content": "hi"}}]}'),
]
STREAMS = ("stream", "callback")


def streaming(*pieces: object, is_cut: bool = False, content_type: str = "text/event-stream") -> Script:
    """Responds with a stream of these strings or bytes, in chunks, without the last chunk if it is cut."""

    def script(handler: Handler, request: Request) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in pieces:
            content = piece if isinstance(piece, bytes) else str(piece).encode()
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        handler.wfile.write(b"" if is_cut else b"0\r\n\r\n")
        handler.close_connection = is_cut

    return script


def raw_events(outcome: Outcome) -> list[tuple[Optional[str], Optional[str]]]:
    """Returns the name and data of each event, all of which are uninterpreted."""
    assert all((event.kind, event.candidate, event.text) == (OTHER, 0, None) for event in outcome.events), outcome
    return [(event.raw_name, event.raw_data) for event in outcome.events]


def streamed(script: Script, *commands: str, build: Build = SHARED) -> list[Outcome]:
    """Performs the request with both kinds of streams."""
    with ScriptedGateway(script) as gateway:
        outcomes = perform_all(
            gateway.url, "show-raw", f"body {escaped(BODY)}", "path - /x", *commands, *STREAMS, build=build
        )
        assert [request.body for request in gateway.requests] == [BODY.encode()] * 2, "the body is sent unchanged"
    return outcomes


@BUILDS
def test_each_payload_of_a_stream_is_one_event(build: Build) -> None:
    for end in ("", "data: [DONE]\n\n", "data: [DONE]\n"):
        outcomes = streamed(streaming(STREAM, end), build=build)
        assert [outcome.status for outcome in outcomes] == ["STREAM_END", "OK"], outcomes
        for outcome in outcomes:
            assert raw_events(outcome) == EVENTS
            assert (outcome.response.texts, outcome.response.body, outcome.response.http_status) == ([], None, 200)


def test_end_of_the_body_ends_the_last_event() -> None:
    for outcome in streamed(streaming("data: a\n\n", "data: b\nevent: c")):
        assert outcome.status in ("STREAM_END", "OK") and raw_events(outcome) == [(None, "a"), ("c", "b")], outcome


def test_stream_without_events_is_complete() -> None:
    for outcome in streamed(streaming(": nothing\n\n")):
        assert outcome.status in ("STREAM_END", "OK") and outcome.events == [], outcome


@BUILDS
def test_stream_that_is_cut_is_truncated(build: Build) -> None:
    for outcome in streamed(streaming(STREAM, is_cut=True), build=build):
        assert (outcome.status, raw_events(outcome)) == ("STREAM_TRUNCATED", EVENTS), outcome


@BUILDS
def test_event_named_error_ends_the_stream_with_its_message(build: Build) -> None:
    rows = [
        ('{"type": "error", "error": {"type": "overloaded_error", "message": "too much"}}', "too much"),
        ('{"error": {"message": "429: Rate limit reached", "type": "HTTPException"}}', "Rate limit reached"),
        ("words", "words"),
    ]
    for data, phrase in rows:
        for outcome in streamed(streaming(STREAM, f"event: error\ndata: {data}\n\n", "data: x\n\n"), build=build):
            assert (outcome.status, raw_events(outcome)) == ("STREAM_ERROR", EVENTS), outcome
            assert phrase in outcome.message and outcome.message.startswith("POST http://"), outcome


@BUILDS
def test_response_that_is_not_a_stream_is_one_event(build: Build) -> None:
    for body in ('[{"candidates": []}]', "text", json.dumps({"choices": [{"message": {"content": "hi"}}]})):
        for outcome in streamed(responding_with(200, body, {"Content-Type": "application/json"}), build=build):
            assert outcome.status in ("STREAM_END", "OK") and raw_events(outcome) == [(None, body)], outcome
    for outcome in streamed(responding_with(204, "")):
        assert outcome.status in ("STREAM_END", "OK") and outcome.events == [], outcome
    for outcome in streamed(responding_with(200, body), "option gather_stream=false", build=build):
        assert raw_events(outcome) == [(None, body)]
        assert (outcome.response.texts, outcome.response.body) == ([None], None), "nothing is gathered"


def test_send_reads_a_stream_to_its_end_as_body() -> None:
    assert outcome_of(streaming(STREAM), "path - /x").response.body == STREAM


def test_error_response_to_a_stream_has_its_status() -> None:
    for outcome in streamed(responding_with(429, {"error": "slow down"}), "handle-option max_retries=0"):
        assert (outcome.status, outcome.error_http_status, outcome.events) == ("RATE_LIMITED", 429, []), outcome


def test_callback_stops_a_raw_stream() -> None:
    with ScriptedGateway(streaming(STREAM)) as gateway:
        outcome = perform(gateway.url, "show-raw", "path - /x", "stop-at 7", "callback")
    assert (outcome.status, raw_events(outcome)) == ("CANCELLED", EVENTS[:1]), outcome


@three_attempts
def test_event_size_idle_timeout_and_cancellation_apply_to_raw_streams() -> None:
    for outcome in streamed(streaming("data: " + "x" * 2000 + "\n\n"), "option max_event_bytes=1024"):
        assert (outcome.status, "max_event_bytes" in outcome.message) == ("RESPONSE_TOO_LARGE", True), outcome

    def stalling(handler: Handler, request: Request) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n")
        handler.stall()

    for outcome in streamed(stalling, "option idle_timeout_ms=100"):
        assert (outcome.status, raw_events(outcome)) == ("TIMEOUT", [(None, "a")]) and "idle_timeout_ms" in outcome.message
    for tokens in (("token", "request-token"), ("request-token", "token")):
        with ScriptedGateway(stalling) as gateway:
            outcome = perform(gateway.url, *tokens, "path - /x", "cancel-after 200", "stream")
            assert outcome.status == "CANCELLED" and 0 <= outcome.cancelled_us < 50_000, outcome


def test_connection_is_reused_after_a_raw_stream() -> None:
    with ScriptedGateway(streaming(STREAM, "data: [DONE]\n\n")) as gateway:
        assert {outcome.status for outcome in perform_all(gateway.url, "path POST /x", *STREAMS * 2)} == {
            "STREAM_END",
            "OK",
        }
        assert gateway.connections == 1
