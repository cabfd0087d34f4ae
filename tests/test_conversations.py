"""Conversations: adding responses and tool results to a request, clones of requests, and omitted parameters."""

import json

import pytest
from support.builds import CHECKED, SHARED, Build
from support.event_streams import chunk, events
from support.operations import Outcome, escaped, perform_all
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, Script, ScriptedGateway, one_route

BUILDS = pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}, "thought_signature": "s"}
EMPTY = {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}
MESSAGE = {
    "role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL, EMPTY], "extra": [1.50],
}  # fmt: skip
SENT_BACK = {**MESSAGE, "tool_calls": [CALL, {**EMPTY, "function": {"name": "g", "arguments": "{}"}}]}


def chat_responses(*messages: dict) -> Script:
    """A chat route that responds with these messages as candidates."""
    choices = [{"index": index, "message": message, "finish_reason": "stop"} for index, message in enumerate(messages)]
    return one_route(lambda handler, request: handler.respond(200, {"choices": choices}), CHAT_ROUTE)


def chat_stream(*chunks: dict) -> Script:
    def script(handler: Handler, request: Request) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        handler.raw(head + events(*chunks, "[DONE]").encode())

    return one_route(script, CHAT_ROUTE)


def run(script: Script, *commands: str, build: Build = SHARED) -> tuple[list[Outcome], list[dict]]:
    """Returns the outcomes, and the bodies received by the gateway."""
    with ScriptedGateway(script) as gateway:
        outcomes = perform_all(gateway.url, *commands, build=build)
        return outcomes, [request.json() for request in gateway.requests if request.method == "POST"]


@BUILDS
def test_response_is_added_with_all_its_fields(build: Build) -> None:
    commands = ("message user=a", "send", "add-response 0", "tool-result c1=1", "tool-result c2=é \\0", "send")
    _, (_, body) = run(chat_responses(MESSAGE), *commands, build=build)
    assert body["messages"] == [
        {"role": "user", "content": "a"},
        SENT_BACK,
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "tool", "tool_call_id": "c2", "content": "é \0"},
    ]


@BUILDS
def test_gathered_stream_is_added_as_one_message(build: Build) -> None:
    script = chat_stream(
        chunk(None, role="assistant", reasoning_content="h"), chunk(None, reasoning_content="m"), chunk("Hel"), chunk("lo"),
        chunk(None, tool_calls=[{"index": 0, **CALL, "function": {"name": "f", "arguments": ""}}]),
        chunk(None, tool_calls=[{"index": 0, "function": {"arguments": '{"x": 1}'}}, {"index": 1, **EMPTY}]),
        chunk(None, finish_reason="tool_calls"),
    )  # fmt: skip
    _, (_, body) = run(script, "message user=a", "callback", "add-response 0", "callback", build=build)
    assert body["messages"][1] == {
        "role": "assistant", "content": "Hello", "reasoning_content": "hm", "tool_calls": SENT_BACK["tool_calls"],
    }  # fmt: skip


def test_any_candidate_can_be_added() -> None:
    first, second = {"role": "assistant", "content": "one"}, {"role": "assistant", "content": "two"}
    _, (_, body) = run(
        chat_responses(first, second), "message user=a", "send", "add-response 1", "add-response 0", "send"
    )
    assert body["messages"][1:] == [second, first]


def test_raw_response_in_the_chat_shape_can_be_added() -> None:
    commands = ("path - /x", "body {}", "send", "again", "message user=a", "add-response 0", "send")
    _, (_, body) = run(chat_responses(MESSAGE), *commands)
    assert body["messages"][1] == SENT_BACK


@pytest.mark.parametrize(
    ("script", "commands", "phrase"),
    [
        (chat_responses(MESSAGE), ("send", "add-response 1"), "has no candidate 1; it has 1, counted from 0"),
        (chat_stream(chunk("a", finish_reason="stop")), ("option gather_stream=false", "callback", "add-response 0"), "gather_stream"),
        (chat_responses(), ("again", "path - /x", "body {}", "send", "again", "add-response 0"), "its body is not a chat completion"),
    ],
)  # fmt: skip
def test_response_that_cannot_be_added_is_invalid_argument_with_the_reason(
    script: Script, commands: tuple[str, ...], phrase: str
) -> None:
    with ScriptedGateway(script) as gateway:
        lines = ("route r", f"uri {gateway.url}", "message user=a", *commands)
        done = SHARED.run("operations.c", input="".join(f"{line}\n" for line in lines))
    assert done.returncode == 1 and "INVALID_ARGUMENT, not MLFLOW_GATEWAY_OK" in done.stderr
    assert phrase in done.stderr


@BUILDS
def test_clone_of_a_request_is_independent(build: Build) -> None:
    commands = (
        "message user=a", "param top_p=1", "header X-A=1", "clone", "message user=b", "omit top_p", "header X-A=2", "send",
        "original", "send", "clone", "request-token", "cancel", "send", "original", "send",
    )  # fmt: skip
    outcomes, bodies = run(chat_responses(MESSAGE), *commands, build=build)
    assert [outcome.status for outcome in outcomes] == ["OK", "OK", "CANCELLED", "OK"]
    one, both = ([{"role": "user", "content": text} for text in texts] for texts in ("a", "ab"))
    assert bodies == [{"messages": both}, *[{"messages": one, "top_p": 1}] * 2]


def test_omitted_parameter_is_not_sent_until_set_or_unset() -> None:
    params = ("handle-param n=2", "handle-param temperature=1", "handle-stop a", "message user=a")
    commands = (
        "omit candidate_count", "omit temperature", "omit stop", "omit other", "send", "param n=3", "stop b", "send",
        "omit n", "omit stop", "unset candidate_count", "unset stop", "unset temperature", "send",
    )  # fmt: skip
    _, bodies = run(chat_responses(MESSAGE), *params, *commands)
    rest = [{name: value for name, value in body.items() if name != "messages"} for body in bodies]
    assert rest == [{}, {"n": 3, "stop": ["b"]}, {"n": 2, "temperature": 1, "stop": ["a"]}]


def test_secret_in_a_message_is_sent_unchanged() -> None:
    """Contents of messages are not credentials, and are never masked."""
    _, (body,) = run(chat_responses(MESSAGE), f"message user={escaped('Bearer x')}", "text token=hunter2", "send")
    assert json.dumps(body).count("hunter2") == 1
