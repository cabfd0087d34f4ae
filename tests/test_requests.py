"""Requests and responses: what is sent is what was set, and what came back is all there."""

import json

import pytest
from asks import ask, ask_all, escaped
from builds import ALL, CHECKED, SHARED, Build
from conftest import RealGateway
from scripted_gateway import CHAT_ROUTE, COMPLETIONS_ROUTE, Handler, Request, ScriptedGateway, answering

ROUTE = {"chat": CHAT_ROUTE, "completions": COMPLETIONS_ROUTE}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "get_temperature", "description": "tells how warm it is", "parameters": CITY}
TOOLS = [{"type": "function", "function": TOOL}]


def parrot(handler: Handler, request: Request) -> None:
    """Answers with what it was sent: the body and the headers."""
    said = json.dumps({"body": request.json(), "headers": {k.lower(): v for k, v in request.headers.items()}})
    choice = {"message": {"role": "assistant", "content": said}, "text": said, "finish_reason": "stop"}
    handler.answer(200, {"choices": [choice]})


def sent(*commands: str, route: str = "chat", build: Build = SHARED) -> dict:
    """What arrives at the gateway."""
    with ScriptedGateway(answering(parrot, ROUTE[route])) as gateway:
        outcome = ask(gateway.url, *commands, "send", build=build)
    assert outcome.status == "OK", outcome
    return json.loads(outcome.response.texts[0])


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_each_kind_of_content(build: Build) -> None:
    text = 'a "quoted"\n\\ \0 é \U0001f600'
    user = {"role": "user", "content": text}
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    said = escaped(text)
    assert sent(f"prompt {said}", route="completions", build=build)["body"] == {"prompt": text}
    assert sent(f"prompt {said}", build=build)["body"] == {"messages": [user]}
    commands = ["message system=be brief", f"message user={said}", f"message-json {escaped(json.dumps(image))}"]
    system = {"role": "system", "content": "be brief"}
    assert sent(*commands, build=build)["body"] == {"messages": [system, user, image]}
    body = {"messages": [user], "n": 2, "temperature": 0.5, "extra": {"stream": True}}
    commands = ["handle-param top_p=1", f"body {escaped(json.dumps({**body, 'stream': True}))}"]
    assert sent(*commands, build=build)["body"] == body


def test_the_requests_own_settings_win() -> None:
    arrived = sent(
        "handle-param temperature=1", "handle-param top_k=3", "handle-stop a", "handle-header X-A=1", "handle-header X-B=2",
        "prompt hi", "param temperature=0", "param n=1", "stop b", "stop c", "string user=me", "header x-a=3", "header X-C=4",
    )  # fmt: skip
    body = {"temperature": 0, "top_k": 3, "stop": ["b", "c"], "n": 1, "user": "me"}
    assert {name: value for name, value in arrived["body"].items() if name != "messages"} == body
    assert [arrived["headers"][name] for name in ("x-a", "x-b", "x-c")] == ["3", "2", "4"]


def test_the_handles_settings_hold_again_for_another_request() -> None:
    with ScriptedGateway(answering(parrot, CHAT_ROUTE)) as gateway:
        outcomes = ask_all(
            gateway.url, "handle-param temperature=1", "prompt a", "param temperature=0", "send", "send", "again",
            "prompt b", "send",
        )  # fmt: skip
    bodies = [json.loads(outcome.response.texts[0])["body"] for outcome in outcomes]
    assert [body["temperature"] for body in bodies] == [0, 0, 1]
    assert [body["messages"][0]["content"] for body in bodies] == ["a", "a", "b"]


def test_a_request_has_its_own_deadline() -> None:
    def silent(handler: Handler, request: Request) -> None:
        handler.stall()

    with ScriptedGateway(answering(silent, CHAT_ROUTE)) as gateway:
        outcomes = ask_all(gateway.url, "prompt hi", "option timeout_ms=200", "send", "stream")
    for outcome in outcomes:
        assert (outcome.status, outcome.error_attempts) == ("TIMEOUT", 1)
        assert "timed out after 200 ms (timeout_ms) while waiting for the response; " in outcome.message


def test_structured_output_passes_through() -> None:
    format = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    arrived = sent(f"param response_format={json.dumps(format)}", f"param tools={json.dumps(TOOLS)}", "prompt hi")
    assert (arrived["body"]["response_format"], arrived["body"]["tools"]) == (format, TOOLS)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_all_of_an_answer_can_be_read(build: Build) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": "é"}'}}
    answer = {
        "id": None,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": 'a "text"\0'}, "finish_reason": "length"},
            {"index": 1, "message": {"role": "assistant", "content": None, "tool_calls": [call]}},
            {"index": 2, "message": {"content": ""}, "finish_reason": None},
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": None},
    }
    with ScriptedGateway(answering(lambda handler, request: handler.answer(200, answer, {"Content-Type": "a/b"}), CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, "prompt hi", "send", build=build)
    response = outcome.response
    assert response.texts == ['a "text"\0', None, ""]
    assert [candidate.role for candidate in response.candidates] == ["assistant", "assistant", None]
    assert [candidate.finish_reason for candidate in response.candidates] == ["length", None, None]
    assert [candidate.tool_calls for candidate in response.candidates] == [[], [["call_1", "f", '{"x": "é"}']], []]
    assert response.candidates[1].message == answer["choices"][1]["message"]
    assert (response.model, response.usage) == ("m", [7, 0, -1]), "not reported is another thing than 0"
    assert (response.http_status, response.attempts, response.content_type) == (200, 1, "a/b")
    assert 0 < response.elapsed_us < 60_000_000
    assert json.loads(response.body) == answer


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_null_is_normal_and_a_wrong_answer_is_not(build: Build) -> None:
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
        ({"candidates": [{"message": message}]}, "OK"),  # an older server took the place of the newer one
    ]
    for answer, status in rows:
        with ScriptedGateway(answering(lambda handler, request: handler.answer(200, answer), CHAT_ROUTE)) as gateway:
            assert ask(gateway.url, "prompt hi", "send", build=build).status == status, answer


def test_a_route_that_is_not_for_this() -> None:
    embeddings = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
    rows = [
        (COMPLETIONS_ROUTE, ["message user=hi", "send"], "takes a prompt, not messages"),
        (COMPLETIONS_ROUTE, ["message user=hi", "stream"], "takes a prompt, not messages"),
        (embeddings, ["prompt hi", "send"], "embeddings, not text"),
        (embeddings, ["prompt hi", "callback"], "embeddings, not text"),
        (CHAT_ROUTE, ["input hi", "embed"], "text, not embeddings"),
    ]
    for route, commands, words in rows:
        with ScriptedGateway(answering(parrot, route)) as gateway:
            outcome = ask(gateway.url, *commands)
            assert outcome.status == "UNSUPPORTED" and words in outcome.message, outcome
            assert not any(path.startswith("POST") for path in gateway.paths())


def test_messages_find_their_way_without_discovery() -> None:
    """A proxy may hide where a server tells what its routes are for."""

    def hidden(handler: Handler, request: Request) -> None:
        if request.path == "/gateway/r/invocations" and request.method == "POST":
            handler.answer(200, {"candidates": [{"message": {"role": "assistant", "content": "x"}, "metadata": {}}]})
        elif request.method == "POST":
            handler.answer(404, {"detail": "Not Found"})
        else:
            handler.answer(403, "Forbidden")

    with ScriptedGateway(hidden) as gateway:
        outcomes = ask_all(gateway.url, "message user=hi", "send", "send", "stream")
    assert [outcome.status for outcome in outcomes] == ["OK", "OK", "UNSUPPORTED"]
    assert [outcome.response.attempts for outcome in outcomes[:2]] == [2, 1]


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_real_gateways_answer_chats(real_gateway: RealGateway, build: Build) -> None:
    outcome = ask(
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


def test_real_gateways_answer_completions(real_gateway: RealGateway) -> None:
    outcome = ask(real_gateway.url, "prompt hi", "param n=2", "send", route="completions")
    assert (outcome.status, outcome.response.texts) == ("OK", ["echo: hi", "echo: hi #1"])
    assert [candidate.finish_reason for candidate in outcome.response.candidates] == ["stop"] * 2
    assert min(outcome.response.usage) >= 0


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_real_gateways_pass_tools_through(real_gateway: RealGateway, build: Build) -> None:
    commands = [f"param tools={json.dumps(TOOLS)}", "message user=!tools", "send"]
    outcome = ask(real_gateway.url, *commands, route="chat", build=build)
    if real_gateway.version == "2.8.1":
        assert outcome.status == "SERVER_ERROR", "tools came later"
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
def test_a_secret_that_is_repeated_is_masked(padding: int) -> None:
    """Also where the message repeats only the beginning of the answer, and cuts the secret in two."""
    secret = "hunter2hunter2hunter2"
    repeated = {"x" * padding: f"Bearer {secret}", "choices": None}
    with ScriptedGateway(answering(lambda handler, request: handler.answer(200, repeated), CHAT_ROUTE)) as gateway:
        outcome = ask(gateway.url, "prompt hi", f"header Authorization=Bearer {secret}", "send")
    assert outcome.status == "BAD_RESPONSE" and "hunter" not in outcome.message, outcome.message
