"""Logging: one line for each attempt, by level, on the calling thread, and without secrets."""

import re
import time

import pytest
from support import commanded_gateway
from support.builds import ALL, CHECKED, SHARED, THREADED, Build
from support.calls import call
from support.databricks_workspace import INVOCATIONS, TOKEN, WELL_KNOWN, Workspace
from support.event_streams import chunk, events, send_stream
from support.operations import LogLine, Outcome, perform, perform_all
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    NOT_FOUND,
    Handler,
    Request,
    Script,
    ScriptedGateway,
    one_route,
    refused_port,
)
from support.timing import three_attempts

OFF, ERROR, INFO, DEBUG = range(4)
EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}

RESULT = r"(HTTP status \d+|MLFLOW_GATEWAY_\w+)"
LINE = re.compile(rf"(GET|POST|PUT|DELETE) (http\S+?)( \(retry: .*\))?: {RESULT} after \d+(\.\d+)? ms(: .+|;.+)?")


def chat(handler: Handler, request: Request) -> None:
    if request.json().get("stream"):
        send_stream(handler, events(chunk("hi"), chunk(None, finish_reason="stop")))
    else:
        handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})


def embed(handler: Handler, request: Request) -> None:
    handler.respond(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})


def chat_gateway() -> ScriptedGateway:
    return ScriptedGateway(one_route(chat, CHAT_ROUTE))


def levels(log: list[LogLine]) -> list[int]:
    return [line.level for line in log]


def check(log: list[LogLine]) -> None:
    """Checks the rules of every line."""
    for line in log:
        assert line.is_on_calling_thread, line
        assert LINE.fullmatch(line.text), line
        assert line.text.isprintable(), line


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_each_level_logs_its_lines(build: Build) -> None:
    expected = {OFF: [], ERROR: [], INFO: [(INFO, "POST")], DEBUG: [(DEBUG, "GET"), (INFO, "POST")]}
    for level, lines in expected.items():
        with chat_gateway() as gateway:
            outcome = perform(gateway.url, f"log {level}", "prompt hi", "send", build=build)
        check(outcome.log)
        assert [(line.level, line.text.split()[0]) for line in outcome.log] == lines


def test_line_has_method_url_status_and_duration() -> None:
    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.2)
        chat(handler, request)

    with ScriptedGateway(one_route(slow, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {DEBUG}", "prompt hi", "send")
        discovery, post = outcome.log
        assert discovery.level == DEBUG and post.level == INFO
        assert discovery.text.startswith(f"GET {gateway.url}/api/2.0/endpoints/r: HTTP status 200 after ")
        request = f"POST {gateway.url}/endpoints/r/invocations"
        match = re.fullmatch(rf"{request}: HTTP status 200 after ([\d.]+) ms", post.text)
        assert match and 190 < float(match[1]) < 2000, post


def test_each_attempt_of_every_operation_logs_one_line() -> None:
    with chat_gateway() as gateway:
        outcomes = perform_all(gateway.url, f"log {INFO}", "prompt hi", "send", "stream", "callback", "send")
    for outcome in outcomes:
        check(outcome.log)
        assert [line.level for line in outcome.log] == [INFO], "one attempt, one line"
        assert "HTTP status 200" in outcome.log[0].text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 302])
def test_error_response_is_logged_as_error(status: int) -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(status, {"detail": "not now"}, {"Location": "/x"})

    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {ERROR}", "prompt hi", "send")
    check(outcome.log)
    assert levels(outcome.log) == [ERROR] and f"HTTP status {status}" in outcome.log[0].text


FAULTS = {
    "reset": (lambda handler: handler.reset(), "CONNECTION_LOST"),
    "closed": (lambda handler: handler.raw(b""), "CONNECTION_LOST"),
    "cut head": (lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\nContent-"), "CONNECTION_LOST"),
    "cut body": (lambda handler: handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), "CONNECTION_LOST"),
    "not HTTP": (lambda handler: handler.raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "BAD_RESPONSE"),
    "silent": (lambda handler: handler.stall(), "TIMEOUT"),
}


@pytest.mark.parametrize("fault", FAULTS)
@three_attempts
def test_attempt_without_response_is_logged_as_error(fault: str) -> None:
    break_off, status = FAULTS[fault]
    with ScriptedGateway(one_route(lambda handler, request: break_off(handler), CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {ERROR}", "handle-option timeout_ms=500", "prompt hi", "send")
    assert outcome.status == status
    check(outcome.log)
    # A request lost at once by the connection of discovery is sent again on a new one.
    assert levels(outcome.log) == [ERROR] * (2 if fault in ("reset", "closed") else 1)
    assert f"MLFLOW_GATEWAY_{status} after " in outcome.log[0].text or "HTTP status 200" in outcome.log[0].text


def test_unreachable_gateway_is_logged_as_error() -> None:
    """Discovery fails already, and the log must not be silent about it."""
    with refused_port() as port:
        for uri, status in (
            (f"http://{HOST}:{port}", "CONNECT_FAILED"),
            ("http://no-such-host.invalid", "RESOLVE_FAILED"),
            (f"https://{HOST}:{port}", "CONNECT_FAILED"),
        ):
            for dialect in ("auto", "deployments"):
                for command in ("send", "stream"):
                    outcome = perform(uri, f"log {ERROR}", f"handle-option dialect={dialect}", "prompt hi", command)
                    assert outcome.status == status, outcome
                    assert outcome.log and set(levels(outcome.log)) == {ERROR}, (uri, dialect, command, outcome.log)
                    assert f"MLFLOW_GATEWAY_{status} after " in outcome.log[-1].text


def test_line_of_a_retry_names_its_reason() -> None:
    """A proxy hides the dialect, so that a prompt is posted to two paths."""

    def hidden(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations" and request.method == "POST":
            handler.respond(200, {"candidates": [{"message": {"role": "assistant", "content": "x"}, "metadata": {}}]})
        elif request.method == "POST":
            handler.respond(404, NOT_FOUND)
        else:
            handler.respond(403, "Forbidden")

    with ScriptedGateway(hidden) as gateway:
        outcome = perform(gateway.url, f"log {INFO}", "message user=hi", "send")
        posts = [path for path in gateway.paths() if path.startswith("POST")]
    assert outcome.status == "OK" and outcome.response.attempts == len(posts)
    check(outcome.log)
    assert levels(outcome.log) == [ERROR] * (len(posts) - 1) + [INFO]
    assert [line.text.split(":")[0] for line in outcome.log] == ["POST http"] * len(posts)
    assert any("(retry: " in line.text for line in outcome.log), outcome.log


@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
def test_lines_are_logged_only_on_the_calling_thread(build: Build) -> None:
    """Several threads send the batches, but the callback runs only on the calling thread."""

    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.02)
        embed(handler, request)

    commands = ("inputs 50", "option embed_batch_size=5", "option embed_concurrency=8")
    with ScriptedGateway(one_route(slow, EMBEDDINGS_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {DEBUG}", *commands, "embed", build=build)
        assert outcome.status == "OK", outcome
        assert len(gateway.requests) == 11
    check(outcome.log)
    assert levels(outcome.log) == [DEBUG] + [INFO] * 10, "one line for each request"


def test_failed_batch_is_logged_once() -> None:
    def reject(handler: Handler, request: Request) -> None:
        if "number 7" in request.json()["input"][0]:
            handler.respond(500, {"detail": "no"})
        else:
            embed(handler, request)

    commands = ("inputs 20", "option embed_batch_size=1", "option embed_concurrency=4")
    with ScriptedGateway(one_route(reject, EMBEDDINGS_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {INFO}", *commands, "embed")
        posts = [path for path in gateway.paths() if path.startswith("POST")]
    assert outcome.status == "SERVER_ERROR"
    check(outcome.log)
    assert levels(outcome.log).count(ERROR) == 1 and len(outcome.log) == len(posts)


def test_log_can_be_changed_and_removed() -> None:
    with chat_gateway() as gateway:
        outcomes = perform_all(
            gateway.url, "prompt hi", "send", f"log {DEBUG}", "send", f"log-off {DEBUG}", "send", f"log {INFO}", "send",
            f"log {OFF}", "send", f"log {ERROR}", "send",
        )  # fmt: skip
    assert [len(outcome.log) for outcome in outcomes] == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_log_callback_may_use_the_handle(build: Build) -> None:
    """Settings and whole calls: no lock may be held while the callback runs."""
    with gateway_with_list(CHAT_ROUTE, chat) as gateway:
        for command in ("send", "stream", "callback", "list", "get-route"):
            outcome = perform(gateway.url, f"log-busy {DEBUG}", "prompt hi", command, build=build)
            assert outcome.status in ("OK", "STREAM_END"), outcome
            assert len(outcome.log) > 1, "calls of the callback are logged, too"


def gateway_with_list(route: dict, on_post: Script) -> ScriptedGateway:
    """A gateway that also lists its one route."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/api/2.0/endpoints/":
            handler.respond(200, {"endpoints": [route]})
        elif request.method == "GET":
            handler.respond(200, route)
        else:
            on_post(handler, request)

    return ScriptedGateway(script)


def test_log_callback_may_call_while_a_token_is_fetched() -> None:
    """Lines about a token are logged before it has arrived, and the call of the callback needs it."""
    with Workspace() as workspace:
        workspace.token_delay = 0.1
        env = workspace.service_environment()
        start = time.monotonic()
        outcomes = perform_all("databricks", f"log-busy {DEBUG}", "prompt hi", "send", "send", route="chat", env=env)
        assert [outcome.status for outcome in outcomes] == ["OK", "OK"], outcomes
        assert time.monotonic() - start < 10


def test_log_callback_may_call_during_concurrent_embeddings() -> None:
    commands = ("inputs 20", "option embed_batch_size=2", "option embed_concurrency=4")
    with gateway_with_list(EMBEDDINGS_ROUTE, embed) as gateway:
        outcome = perform(gateway.url, f"log-busy {DEBUG}", *commands, "embed")
    assert outcome.status == "OK" and all(line.is_on_calling_thread for line in outcome.log), outcome


# Tokens


def requests_at(outcome: Outcome, *, level: int) -> list[str]:
    """Returns the method and path of each line of a level."""
    lines = [line.text for line in outcome.log if line.level == level]
    return [re.sub(r"^(\w+) http://[^/]*([^: ]*).*", r"\1 \2", line) for line in lines]


def test_token_requests_are_logged_at_debug_without_secrets() -> None:
    with Workspace() as workspace:
        env = workspace.service_environment()
        first, second = perform_all("databricks", f"log {DEBUG}", "prompt hi", "send", "send", route="chat", env=env)
        for outcome in (first, second):
            check(outcome.log)
            assert not any("eyJraWQ" in line.text or workspace.client[1] in line.text for line in outcome.log)
        debug_lines = requests_at(first, level=DEBUG)
        assert debug_lines[:2] == [f"GET {WELL_KNOWN}", f"POST {TOKEN}"]
        assert requests_at(first, level=INFO) == [f"POST {INVOCATIONS}chat/invocations"]
        assert requests_at(second, level=DEBUG) == []
        assert perform("databricks", f"log {INFO}", "prompt hi", "send", route="chat", env=env).log[0].level == INFO


def test_expired_token_is_logged_as_error_and_retry() -> None:
    revoked: list[bool] = []

    def revoke_once(request: Request) -> None:
        if not revoked:
            revoked.append(True)
            workspace.revoke()

    with Workspace() as workspace:
        workspace.before_response = revoke_once
        env = workspace.service_environment()
        _, second = perform_all("databricks", f"log {INFO}", "prompt hi", "send", "send", route="chat", env=env)
    assert second.status == "OK" and second.response.attempts == 2
    check(second.log)
    assert levels(second.log) == [ERROR, INFO]
    assert "HTTP status 401" in second.log[0].text and "HTTP status 200" in second.log[1].text
    assert any("(retry: " in line.text and "token" in line.text for line in second.log), second.log


# Privacy


@pytest.mark.parametrize("command", ["send", "stream", "list", "get-route", "health"])
def test_secrets_repeated_by_the_server_are_masked(command: str) -> None:
    def repeat(handler: Handler, request: Request) -> None:
        secrets_received = " ".join(request.headers.values())
        handler.respond(401, {"detail": f"go away, {secrets_received}", "error_code": secrets_received})

    secrets = ("handle-option bearer_token=hunter2-token", "handle-header X-Key=hunter2-header")
    with ScriptedGateway(repeat) as gateway:
        outcome = perform(gateway.url, f"log {DEBUG}", *secrets, "prompt hi", command)
    assert outcome.log and "hunter2" not in str(outcome), outcome


def test_prompts_and_responses_are_not_logged() -> None:
    """Contents belong to the users, not to readers of logs."""

    def private(handler: Handler, request: Request) -> None:
        handler.respond(200, {"choices": [{"message": {"content": "your diagnosis"}}]})

    with ScriptedGateway(one_route(private, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {DEBUG}", "message user=my symptoms", "send")
    assert outcome.log and not any("symptoms" in line.text or "diagnosis" in line.text for line in outcome.log)


def test_line_contains_no_control_characters() -> None:
    def reject(handler: Handler, request: Request) -> None:
        handler.respond(400, {"detail": "a\r\nPOST b\x00\x1b[31m"})

    with ScriptedGateway(one_route(reject, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, f"log {DEBUG}", "prompt hi", "send")
        assert len(outcome.log) == 2
        check(outcome.log)
    name = "a\\nb%\\r"
    with ScriptedGateway(lambda handler, request: handler.respond(404, NOT_FOUND)) as gateway:
        outcome = perform(gateway.url, f"log {DEBUG}", f"get-route {name}")
        check(outcome.log)


def test_nothing_is_printed_without_a_log_callback() -> None:
    with chat_gateway() as gateway:
        assert call(gateway.url, "hi", environment={"RUST_LOG": "trace", "RUST_BACKTRACE": "1"}).status == "OK"


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_callback_data_is_destroyed_once_after_the_last_line(build: Build) -> None:
    with commanded_gateway.gateway() as gateway:
        done = build.run("test_log_data.c", gateway.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
