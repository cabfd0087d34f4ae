"""The log: a line for each attempt, of the level that is asked for, on the thread that makes the call."""

import re
import time

import obeying_gateway
import pytest
from asks import LogLine, Outcome, ask, ask_all
from builds import ALL, CHECKED, SHARED, THREADED, Build
from calls import call
from databricks_workspace import INVOCATIONS, TOKEN, WELL_KNOWN, Workspace
from event_streams import chunk, events, send
from scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    NOT_FOUND,
    Handler,
    Request,
    Script,
    ScriptedGateway,
    answering,
    refused_port,
)

OFF, ERROR, INFO, DEBUG = range(4)
EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}

CAME = r"(HTTP status \d+|MLFLOW_GATEWAY_\w+)"
LINE = re.compile(rf"(GET|POST|PUT|DELETE) (http\S+?)( \(retry: .*\))?: {CAME} after \d+(\.\d+)? ms(: .+|;.+)?")


def chat(handler: Handler, request: Request) -> None:
    if request.json().get("stream"):
        send(handler, events(chunk("hi"), chunk(None, finish_reason="stop")))
    else:
        handler.answer(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})


def vectors(handler: Handler, request: Request) -> None:
    handler.answer(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})


def chatting() -> ScriptedGateway:
    return ScriptedGateway(answering(chat, CHAT_ROUTE))


def levels(log: list[LogLine]) -> list[int]:
    return [line.level for line in log]


def check(log: list[LogLine]) -> None:
    """What holds for every line."""
    for line in log:
        assert line.is_on_calling_thread, line
        assert LINE.fullmatch(line.text), line
        assert line.text.isprintable(), line


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_levels(build: Build) -> None:
    expected = {OFF: [], ERROR: [], INFO: [(INFO, "POST")], DEBUG: [(DEBUG, "GET"), (INFO, "POST")]}
    for level, lines in expected.items():
        with chatting() as gateway:
            outcome = ask(gateway.url, f"log {level}", "prompt hi", "send", build=build)
        check(outcome.log)
        assert [(line.level, line.text.split()[0]) for line in outcome.log] == lines


def test_a_line() -> None:
    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.2)
        chat(handler, request)

    with ScriptedGateway(answering(slow, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {DEBUG}", "prompt hi", "send")
        discovery, question = outcome.log
        assert discovery.level == DEBUG and question.level == INFO
        assert discovery.text.startswith(f"GET {gateway.url}/api/2.0/endpoints/r: HTTP status 200 after ")
        asked = f"POST {gateway.url}/endpoints/r/invocations"
        match = re.fullmatch(rf"{asked}: HTTP status 200 after ([\d.]+) ms", question.text)
        assert match and 190 < float(match[1]) < 2000, question


def test_each_kind_of_question_has_its_line() -> None:
    with chatting() as gateway:
        outcomes = ask_all(gateway.url, f"log {INFO}", "prompt hi", "send", "stream", "callback", "send")
    for outcome in outcomes:
        check(outcome.log)
        assert [line.level for line in outcome.log] == [INFO], "one attempt, one line; and none comes twice"
        assert "HTTP status 200" in outcome.log[0].text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 302])
def test_a_refused_question_is_an_error(status: int) -> None:
    def refuse(handler: Handler, request: Request) -> None:
        handler.answer(status, {"detail": "not now"}, {"Location": "/x"})

    with ScriptedGateway(answering(refuse, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {ERROR}", "prompt hi", "send")
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
def test_an_attempt_without_an_answer_is_an_error(fault: str) -> None:
    break_off, status = FAULTS[fault]
    with ScriptedGateway(answering(lambda handler, request: break_off(handler), CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {ERROR}", "handle-option timeout_ms=500", "prompt hi", "send")
    assert outcome.status == status
    check(outcome.log)
    # What the connection that discovery used loses at once is sent again on a new one.
    assert levels(outcome.log) == [ERROR] * (2 if fault in ("reset", "closed") else 1)
    assert f"MLFLOW_GATEWAY_{status} after " in outcome.log[0].text or "HTTP status 200" in outcome.log[0].text


def test_a_gateway_that_is_not_there_is_an_error() -> None:
    """Also where the server could not even be asked how it speaks: the call fails, and its log must not be silent."""
    with refused_port() as port:
        for uri, status in (
            (f"http://{HOST}:{port}", "CONNECT_FAILED"),
            ("http://no-such-host.invalid", "RESOLVE_FAILED"),
            (f"https://{HOST}:{port}", "CONNECT_FAILED"),
        ):
            for dialect in ("auto", "deployments"):
                for way in ("send", "stream"):
                    outcome = ask(uri, f"log {ERROR}", f"handle-option dialect={dialect}", "prompt hi", way)
                    assert outcome.status == status, outcome
                    assert outcome.log and set(levels(outcome.log)) == {ERROR}, (uri, dialect, way, outcome.log)
                    assert f"MLFLOW_GATEWAY_{status} after " in outcome.log[-1].text


def test_a_second_attempt_says_why() -> None:
    """A proxy hides what the server speaks, so that a question goes to two paths."""

    def hidden(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations" and request.method == "POST":
            handler.answer(200, {"candidates": [{"message": {"role": "assistant", "content": "x"}, "metadata": {}}]})
        elif request.method == "POST":
            handler.answer(404, NOT_FOUND)
        else:
            handler.answer(403, "Forbidden")

    with ScriptedGateway(hidden) as gateway:
        outcome = ask(gateway.url, f"log {INFO}", "message user=hi", "send")
        posts = [path for path in gateway.paths() if path.startswith("POST")]
    assert outcome.status == "OK" and outcome.response.attempts == len(posts)
    check(outcome.log)
    assert levels(outcome.log) == [ERROR] * (len(posts) - 1) + [INFO]
    assert [line.text.split(":")[0] for line in outcome.log] == ["POST http"] * len(posts)
    assert any("(retry: " in line.text for line in outcome.log), outcome.log


@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
def test_lines_come_on_the_calling_thread_alone(build: Build) -> None:
    """Though several threads ask: they end with the call, and no caller expects to hear from them."""

    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.02)
        vectors(handler, request)

    commands = ("inputs 50", "option embed_batch_size=5", "option embed_concurrency=8")
    with ScriptedGateway(answering(slow, EMBEDDINGS_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {DEBUG}", *commands, "embed", build=build)
        assert outcome.status == "OK", outcome
        assert len(gateway.requests) == 11
    check(outcome.log)
    assert levels(outcome.log) == [DEBUG] + [INFO] * 10, "one line for each request"


def test_a_batch_that_fails_has_its_line() -> None:
    def refuse(handler: Handler, request: Request) -> None:
        if "number 7" in request.json()["input"][0]:
            handler.answer(500, {"detail": "no"})
        else:
            vectors(handler, request)

    commands = ("inputs 20", "option embed_batch_size=1", "option embed_concurrency=4")
    with ScriptedGateway(answering(refuse, EMBEDDINGS_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {INFO}", *commands, "embed")
        posts = [path for path in gateway.paths() if path.startswith("POST")]
    assert outcome.status == "SERVER_ERROR"
    check(outcome.log)
    assert levels(outcome.log).count(ERROR) == 1 and len(outcome.log) == len(posts)


def test_it_can_be_ended() -> None:
    with chatting() as gateway:
        outcomes = ask_all(
            gateway.url, "prompt hi", "send", f"log {DEBUG}", "send", f"log-off {DEBUG}", "send", f"log {INFO}", "send",
            f"log {OFF}", "send", f"log {ERROR}", "send",
        )  # fmt: skip
    assert [len(outcome.log) for outcome in outcomes] == [0, 1, 0, 1, 0, 0]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_a_callback_may_use_the_handle(build: Build) -> None:
    """Settings, and whole questions: nothing may be locked while it runs."""
    with listing(CHAT_ROUTE, chat) as gateway:
        for way in ("send", "stream", "callback", "list", "get-route"):
            outcome = ask(gateway.url, f"log-busy {DEBUG}", "prompt hi", way, build=build)
            assert outcome.status in ("OK", "STREAM_END"), outcome
            assert len(outcome.log) > 1, "what the callback asks is told as well"


def listing(route: dict, on_post: Script) -> ScriptedGateway:
    """A gateway that also lists its one route."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == "/api/2.0/endpoints/":
            handler.answer(200, {"endpoints": [route]})
        elif request.method == "GET":
            handler.answer(200, route)
        else:
            on_post(handler, request)

    return ScriptedGateway(script)


def test_a_callback_may_ask_while_a_token_is_fetched() -> None:
    """The lines about a token come while it is not there yet, and the question that the callback asks needs it."""
    with Workspace() as workspace:
        workspace.token_delay = 0.1
        env = workspace.service_environment()
        start = time.monotonic()
        outcomes = ask_all("databricks", f"log-busy {DEBUG}", "prompt hi", "send", "send", route="chat", env=env)
        assert [outcome.status for outcome in outcomes] == ["OK", "OK"], outcomes
        assert time.monotonic() - start < 10


def test_vectors_and_a_busy_callback() -> None:
    commands = ("inputs 20", "option embed_batch_size=2", "option embed_concurrency=4")
    with listing(EMBEDDINGS_ROUTE, vectors) as gateway:
        outcome = ask(gateway.url, f"log-busy {DEBUG}", *commands, "embed")
    assert outcome.status == "OK" and all(line.is_on_calling_thread for line in outcome.log), outcome


# Tokens


def about(outcome: Outcome, *, level: int) -> list[str]:
    """What lines of a level are about: the method and the path, without the times."""
    lines = [line.text for line in outcome.log if line.level == level]
    return [re.sub(r"^(\w+) http://[^/]*([^: ]*).*", r"\1 \2", line) for line in lines]


def test_tokens_are_asked_for_beside_the_question() -> None:
    with Workspace() as workspace:
        env = workspace.service_environment()
        first, second = ask_all("databricks", f"log {DEBUG}", "prompt hi", "send", "send", route="chat", env=env)
        for outcome in (first, second):
            check(outcome.log)
            assert not any("eyJraWQ" in line.text or workspace.client[1] in line.text for line in outcome.log)
        told = about(first, level=DEBUG)
        assert told[:2] == [f"GET {WELL_KNOWN}", f"POST {TOKEN}"]
        assert about(first, level=INFO) == [f"POST {INVOCATIONS}chat/invocations"]
        assert about(second, level=DEBUG) == []
        assert ask("databricks", f"log {INFO}", "prompt hi", "send", route="chat", env=env).log[0].level == INFO


def test_a_token_that_was_over_shows_in_the_log() -> None:
    revoked: list[bool] = []

    def revoke_once(request: Request) -> None:
        if not revoked:
            revoked.append(True)
            workspace.revoke()

    with Workspace() as workspace:
        workspace.before_answer = revoke_once
        env = workspace.service_environment()
        _, second = ask_all("databricks", f"log {INFO}", "prompt hi", "send", "send", route="chat", env=env)
    assert second.status == "OK" and second.response.attempts == 2
    check(second.log)
    assert levels(second.log) == [ERROR, INFO]
    assert "HTTP status 401" in second.log[0].text and "HTTP status 200" in second.log[1].text
    assert any("(retry: " in line.text and "token" in line.text for line in second.log), second.log


# What is not in it


@pytest.mark.parametrize("way", ["send", "stream", "list", "get-route", "health"])
def test_secrets_that_a_server_repeats_are_masked(way: str) -> None:
    def repeat(handler: Handler, request: Request) -> None:
        said = " ".join(request.headers.values())
        handler.answer(401, {"detail": f"go away, {said}", "error_code": said})

    secrets = ("handle-option bearer_token=hunter2-token", "handle-header X-Key=hunter2-header")
    with ScriptedGateway(repeat) as gateway:
        outcome = ask(gateway.url, f"log {DEBUG}", *secrets, "prompt hi", way)
    assert outcome.log and "hunter2" not in str(outcome), outcome


def test_questions_and_answers_are_not_in_it() -> None:
    """They are the users' own, and not for those who read logs."""

    def private(handler: Handler, request: Request) -> None:
        handler.answer(200, {"choices": [{"message": {"content": "your diagnosis"}}]})

    with ScriptedGateway(answering(private, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {DEBUG}", "message user=my symptoms", "send")
    assert outcome.log and not any("symptoms" in line.text or "diagnosis" in line.text for line in outcome.log)


def test_a_line_is_one_line() -> None:
    def refuse(handler: Handler, request: Request) -> None:
        handler.answer(400, {"detail": "a\r\nPOST b\x00\x1b[31m"})

    with ScriptedGateway(answering(refuse, CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, f"log {DEBUG}", "prompt hi", "send")
        assert len(outcome.log) == 2
        check(outcome.log)
    odd = "a\\nb%\\r"
    with ScriptedGateway(lambda handler, request: handler.answer(404, NOT_FOUND)) as gateway:
        outcome = ask(gateway.url, f"log {DEBUG}", f"get-route {odd}")
        check(outcome.log)


def test_without_a_log_nothing_is_printed() -> None:
    with chatting() as gateway:
        assert call(gateway.url, "hi", environment={"RUST_LOG": "trace", "RUST_BACKTRACE": "1"}).status == "OK"


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_data_of_a_log_is_destroyed_once_and_after_the_last_line(build: Build) -> None:
    with obeying_gateway.gateway() as gateway:
        done = build.run("test_log_data.c", gateway.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
