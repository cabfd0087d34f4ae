"""Requests and responses: everything set is sent, and everything received can be read."""

import json

import pytest
from support.builds import ALL, CHECKED, SHARED, Build
from support.operations import escaped, perform, perform_all
from support.real_gateways import RealGateway
from support.scripted_gateway import (
    CHAT_ROUTE,
    COMPLETIONS_ROUTE,
    Handler,
    Request,
    ScriptedGateway,
    echo_request,
    one_route,
)
from support.scripted_model import TOOLS
from support.timing import three_attempts

ROUTE = {"chat": CHAT_ROUTE, "completions": COMPLETIONS_ROUTE}



def sent(*commands: str, route: str = "chat", build: Build = SHARED) -> dict:
    """Returns the request that the gateway receives."""
    with ScriptedGateway(one_route(echo_request, ROUTE[route])) as gateway:
        outcome = perform(gateway.url, *commands, "send", build=build)
    assert outcome.status == "OK", outcome
    return json.loads(outcome.response.texts[0])


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_kind_of_content_is_sent(build: Build) -> None:
    text = 'a "quoted"\n\\ \0 é \U0001f600'
    user = {"role": "user", "content": text}
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    escaped_text = escaped(text)
    assert sent(f"prompt {escaped_text}", route="completions", build=build)["body"] == {"prompt": text}
    assert sent(f"prompt {escaped_text}", build=build)["body"] == {"messages": [user]}
    commands = ["message system=be brief", f"message user={escaped_text}", f"message-json {escaped(json.dumps(image))}"]
    system = {"role": "system", "content": "be brief"}
    assert sent(*commands, build=build)["body"] == {"messages": [system, user, image]}
    body = {"messages": [user], "n": 2, "temperature": 0.5, "extra": {"stream": True}}
    commands = ["handle-param top_p=1", f"body {escaped(json.dumps({**body, 'stream': True}))}"]
    assert sent(*commands, build=build)["body"] == body


def test_settings_of_the_request_take_precedence_over_the_handles() -> None:
    received = sent(
        "handle-param temperature=1", "handle-param top_k=3", "handle-stop a", "handle-header X-A=1", "handle-header X-B=2",
        "prompt hi", "param temperature=0", "param n=1", "stop b", "stop c", "string user=me", "header x-a=3", "header X-C=4",
    )  # fmt: skip
    body = {"temperature": 0, "top_k": 3, "stop": ["b", "c"], "n": 1, "user": "me"}
    assert {name: value for name, value in received["body"].items() if name != "messages"} == body
    assert [received["headers"][name] for name in ("x-a", "x-b", "x-c")] == ["3", "2", "4"]


def test_settings_of_a_request_do_not_affect_the_next_one() -> None:
    with ScriptedGateway(one_route(echo_request, CHAT_ROUTE)) as gateway:
        outcomes = perform_all(
            gateway.url, "handle-param temperature=1", "prompt a", "param temperature=0", "send", "send", "again",
            "prompt b", "send",
        )  # fmt: skip
    bodies = [json.loads(outcome.response.texts[0])["body"] for outcome in outcomes]
    assert [body["temperature"] for body in bodies] == [0, 0, 1]
    assert [body["messages"][0]["content"] for body in bodies] == ["a", "a", "b"]


@three_attempts
def test_timeout_ms_can_be_set_on_a_request() -> None:
    def silent(handler: Handler, request: Request) -> None:
        handler.stall()

    with ScriptedGateway(one_route(silent, CHAT_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, "prompt hi", "option timeout_ms=200", "send", "stream")
    for outcome in outcomes:
        assert (outcome.status, outcome.error_attempts) == ("TIMEOUT", 1)
        assert "timed out after 200 ms (timeout_ms) while waiting for the response; " in outcome.message


def test_structured_parameters_are_sent_unchanged() -> None:
    format = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    received = sent(f"param response_format={json.dumps(format)}", f"param tools={json.dumps(TOOLS)}", "prompt hi")
    assert (received["body"]["response_format"], received["body"]["tools"]) == (format, TOOLS)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_every_field_of_a_response_can_be_read(build: Build) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": "é"}'}}
    response_body = {
        "id": None,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": 'a "text"\0'}, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": None, "tool_calls": [call]}},
            {"index": 2, "message": {"content": ""}, "finish_reason": None},
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": None},
    }
    with ScriptedGateway(
        one_route(lambda handler, request: handler.respond(200, response_body, {"Content-Type": "a/b"}), CHAT_ROUTE)
    ) as gateway:
        outcome = perform(gateway.url, "prompt hi", "send", build=build)
    response = outcome.response
    assert response.texts == ['a "text"\0', None, ""]
    assert [candidate.role for candidate in response.candidates] == ["assistant", "assistant", None]
    assert [candidate.finish_reason for candidate in response.candidates] == ["length", None, None]
    assert [candidate.tool_calls for candidate in response.candidates] == [[], [["call_1", "f", '{"x": "é"}']], []]
    assert response.candidates[1].message == response_body["choices"][1]["message"]
    assert (response.model, response.usage) == ("m", [7, 0, -1]), "-1 means not reported; 0 is a real count"
    assert (response.http_status, response.attempts, response.content_type) == (200, 1, "a/b")
    assert 0 < response.elapsed_us < 60_000_000
    assert json.loads(response.body) == response_body


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_null_fields_are_accepted_and_wrong_types_are_bad_response(build: Build) -> None:
    message = {"role": "assistant", "content": "x"}
    rows = [
        ({"choices": [{"message": message}], "usage": None, "model": None, "id": None}, "OK"),
        ({"choices": [{"message": message, "finish_reason": 5}], "usage": {"prompt_tokens": "7"}, "model": [1]}, "OK"),
        ({"choices": [{"message": {"content": None}}]}, "OK"),
        ({"choices": [{"message": {"tool_calls": [{}]}}]}, "OK"),
        ({"choices": [{"message": {**message, "tool_calls": None}}]}, "OK"),
        ({"choices": [{"message": {**message, "tool_calls": "x"}}]}, "BAD_RESPONSE"),
        ({"choices": [{"message": {}}]}, "BAD_RESPONSE"),
        ({"choices": [{"message": {"content": 5}}]}, "BAD_RESPONSE"),
        ({"choices": []}, "NO_CANDIDATES"),
        ({"candidates": [{"message": message}]}, "OK"),  # an older server replaced the newer one
    ]
    for response_body, status in rows:
        with ScriptedGateway(
            one_route(lambda handler, request: handler.respond(200, response_body), CHAT_ROUTE)
        ) as gateway:
            assert perform(gateway.url, "prompt hi", "send", build=build).status == status, response_body


def test_operation_that_the_route_does_not_support_is_unsupported() -> None:
    embeddings = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
    rows = [
        (COMPLETIONS_ROUTE, ["message user=hi", "send"], "takes a prompt, not messages"),
        (COMPLETIONS_ROUTE, ["message user=hi", "stream"], "takes a prompt, not messages"),
        (embeddings, ["prompt hi", "send"], "embeddings, not text"),
        (embeddings, ["prompt hi", "callback"], "embeddings, not text"),
        (CHAT_ROUTE, ["input hi", "embed"], "text, not embeddings"),
    ]
    for route, commands, phrase in rows:
        with ScriptedGateway(one_route(echo_request, route)) as gateway:
            outcome = perform(gateway.url, *commands)
            assert outcome.status == "UNSUPPORTED" and phrase in outcome.message, outcome
            assert not any(path.startswith("POST") for path in gateway.paths())


def test_messages_are_sent_without_discovery() -> None:
    """A proxy may hide the discovery paths."""

    def hidden(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations" and request.method == "POST":
            handler.respond(200, {"candidates": [{"message": {"role": "assistant", "content": "x"}, "metadata": {}}]})
        elif request.method == "POST":
            handler.respond(404, {"detail": "Not Found"})
        else:
            handler.respond(403, "Forbidden")

    with ScriptedGateway(hidden) as gateway:
        outcomes = perform_all(gateway.url, "message user=hi", "send", "send", "stream")
    assert [outcome.status for outcome in outcomes] == ["OK", "OK", "UNSUPPORTED"]
    assert [outcome.response.attempts for outcome in outcomes[:2]] == [2, 1]


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_chats_work_with_real_gateways(real_gateway: RealGateway, build: Build) -> None:
    outcome = perform(
        real_gateway.url, "message system=be brief", "message user=hi", "message assistant=ho",
        "message user=é \U0001f600", "param n=2", "param max_tokens=7", "stop END", "send",
        route="chat", build=build,
    )  # fmt: skip
    assert outcome.status == "OK", outcome
    assert outcome.response.texts == ["echo: é \U0001f600", "echo: é \U0001f600 #1"]
    assert [candidate.role for candidate in outcome.response.candidates] == ["assistant"] * 2
    assert [candidate.finish_reason for candidate in outcome.response.candidates] == ["stop"] * 2
    assert outcome.response.model and min(outcome.response.usage) > 0
    assert outcome.response.usage[2] == outcome.response.usage[0] + outcome.response.usage[1]
    (request,) = real_gateway.upstream.requests()
    assert [message["content"] for message in request["body"]["messages"]] == ["be brief", "hi", "ho", "é \U0001f600"]
    assert (request["body"]["n"], request["body"]["max_tokens"], request["body"]["stop"]) == (2, 7, ["END"])


def test_completions_work_with_real_gateways(real_gateway: RealGateway) -> None:
    outcome = perform(real_gateway.url, "prompt hi", "param n=2", "send", route="completions")
    assert (outcome.status, outcome.response.texts) == ("OK", ["echo: hi", "echo: hi #1"])
    assert [candidate.finish_reason for candidate in outcome.response.candidates] == ["stop"] * 2
    assert min(outcome.response.usage) >= 0


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_tools_work_with_real_gateways(real_gateway: RealGateway, build: Build) -> None:
    commands = [f"param tools={json.dumps(TOOLS)}", "message user=!tools", "send"]
    outcome = perform(real_gateway.url, *commands, route="chat", build=build)
    if real_gateway.version == "2.8.1":
        assert outcome.status == "SERVER_ERROR", "MLflow 2.8.1 does not support tools"
        return
    (candidate,) = outcome.response.candidates
    assert (candidate.text, candidate.finish_reason) == (None, "tool_calls")
    assert [call[1:] for call in candidate.tool_calls] == [
        ["get_temperature", '{"city":"Paris"}'],
        ["get_temperature", '{"city":"Oslo"}'],
    ]
    calls = candidate.message["tool_calls"]
    assert [call["id"] for call in calls] == [call[0] for call in candidate.tool_calls]


@pytest.mark.parametrize("padding", range(0, 100, 9))
def test_secret_repeated_by_the_server_is_masked(padding: int) -> None:
    """Also if the message contains only the beginning of the response, and cuts the secret in two."""
    secret = "hunter2hunter2hunter2"
    repeated = {"x" * padding: f"Bearer {secret}", "choices": None}
    with ScriptedGateway(one_route(lambda handler, request: handler.respond(200, repeated), CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, "prompt hi", f"header Authorization=Bearer {secret}", "send")
    assert outcome.status == "BAD_RESPONSE" and "hunter" not in outcome.message, outcome.message
