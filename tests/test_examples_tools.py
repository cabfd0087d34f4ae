"""The example tools: a model calls a function of the program."""

import json

import pytest
from builds import ALL, SHARED, Build
from conftest import RealGateway
from gateways import scripted_answers
from scripted_gateway import CHAT_ROUTE, Handler, Request, Script, ScriptedGateway, answering, refused_port
from scripted_model import model, questions

PARIS = "In Paris it is 18.5 degrees Celsius."
OSLO = "In Oslo it is 9.0 degrees Celsius."
UNKNOWN = "The temperature in this city is not known."
WRONG = 'The arguments must be JSON with a string "city".'
NO_TOOL = "There is no such tool."


def tools(*arguments: str, build: Build = SHARED) -> tuple[int, str, str]:
    done = build.run("tools.c", *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_it_runs_the_calls_and_answers(build: Build) -> None:
    with ScriptedGateway(answering(model, CHAT_ROUTE)) as gateway:
        assert tools("-u", gateway.url, "!tools", build=build) == (0, f"echo: {OSLO}\n", "")
        asked, told = (request.json() for request in questions(gateway))
        assert asked["tools"] == told["tools"]
        question, calls, *results = told["messages"]
        assert [question] == asked["messages"] == [{"role": "user", "content": "!tools"}]
        assert (calls["role"], calls["content"]) == ("assistant", None)
        assert [call["function"]["name"] for call in calls["tool_calls"]] == ["get_temperature"] * 2
        assert results == [
            {"role": "tool", "tool_call_id": "call_0_0", "content": PARIS},
            {"role": "tool", "tool_call_id": "call_0_1", "content": OSLO},
        ]
        assert tools("-u", gateway.url, "no tools", build=build) == (0, "echo: no tools\n", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_it_answers_calls_that_make_no_sense(build: Build) -> None:
    rows = [
        (' { "city" :\n"Cairo" } ', "In Cairo it is 31.0 degrees Celsius."),
        ('{"city":"\\u0050aris"}', PARIS),
        ('{"city":"Paris","unit":"C"}', PARIS),
        ('{"city":"Zürich"}', UNKNOWN),
        ('{"city":"%s%n"}', UNKNOWN),
        (json.dumps({"city": "x" * 5000}), UNKNOWN),
        ('{"city":""}', UNKNOWN),
        ('{"city":"Paris"', WRONG),
        ('{"city":"Paris', WRONG),
        ('{"city":"Paris"}}', WRONG),
        ('{"town":"Paris"}', WRONG),
        ('{"city":7}', WRONG),
        ('{"city":null}', WRONG),
        ('["city"]', WRONG),
        ("{", WRONG),
        ("", WRONG),
    ]
    calls = [
        tool_call(f'"\\\n\x1fé{number}', "get_temperature", arguments) for number, (arguments, _) in enumerate(rows)
    ]
    calls.append(tool_call("", "get_weather", "{}"))
    results = [*(result for _, result in rows), NO_TOOL]
    words = '"let"\nme\0see'

    def call(handler: Handler, request: Request) -> None:
        if len(request.json()["messages"]) == 1:
            message = {"role": "assistant", "content": words, "tool_calls": calls}
            handler.answer(200, {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
        else:
            model(handler, request)

    with ScriptedGateway(answering(call, CHAT_ROUTE)) as gateway:
        code, answer, said = tools("-u", gateway.url, "-v", "which?", build=build)
        assert (code, answer) == (0, f"echo: {NO_TOOL}\n"), said
        assert f'get_temperature({{"city":"Zürich"}}): {UNKNOWN}\n' in said
        _, assistant, *told = questions(gateway)[-1].json()["messages"]
        sent_back = [{**one, "function": {**one["function"], "arguments": one["function"]["arguments"] or "{}"}} for one in calls]
        assert assistant == {"role": "assistant", "content": words, "tool_calls": sent_back}
        assert told == [
            {"role": "tool", **({"tool_call_id": one["id"]} if one["id"] else {}), "content": result}
            for one, result in zip(calls, results)
        ]


def tool_call(id: str, name: str, arguments: str) -> dict:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def insisting(rounds: int) -> Script:
    """Calls tools in so many rounds, and then answers."""

    def script(handler: Handler, request: Request) -> None:
        called = sum("tool_calls" in message for message in request.json()["messages"])
        question = scripted_answers.chat_request(request.json())._replace(wants_tools=called < rounds)
        handler.answer(200, scripted_answers.response(question))

    return answering(script, CHAT_ROUTE)


def test_it_goes_on_for_as_many_rounds_as_the_model_needs() -> None:
    with ScriptedGateway(insisting(3)) as gateway:
        assert tools("-u", gateway.url, "a") == (0, f"echo: {OSLO}\n", "")
        last = questions(gateway)[-1].json()["messages"]
        assert [message["role"] for message in last] == ["user", *["assistant", "tool", "tool"] * 3]
    with ScriptedGateway(insisting(8)) as gateway:
        assert tools("-u", gateway.url, "a") == (0, f"echo: {OSLO}\n", "")


def test_it_does_not_go_on_for_ever() -> None:
    with ScriptedGateway(insisting(1000)) as gateway:
        code, answer, said = tools("-u", gateway.url, "a")
        assert (code, answer) == (5, "") and "still calls tools" in said
        assert len(questions(gateway)) == 9


def test_a_call_without_an_id_has_a_result_without_one() -> None:
    call = {"type": "function", "function": {"name": "get_temperature", "arguments": '{"city":"Oslo"}'}}

    def script(handler: Handler, request: Request) -> None:
        if len(request.json()["messages"]) == 1:
            handler.answer(200, {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]})
        else:
            model(handler, request)

    with ScriptedGateway(answering(script, CHAT_ROUTE)) as gateway:
        assert tools("-u", gateway.url, "a") == (0, f"echo: {OSLO}\n", "")
        assert questions(gateway)[-1].json()["messages"][-1] == {"role": "tool", "content": OSLO}


def test_it_says_what_is_wrong() -> None:
    with refused_port() as port, ScriptedGateway(
        answering(lambda handler, request: handler.answer(403, {"detail": "no"}), CHAT_ROUTE)
    ) as gateway:
        rows = [
            ([], 2, "no prompt given"),
            (["a", "b"], 2, "put it in quotes"),
            (["-z"], 2, "usage: tools"),
            (["a"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://127.0.0.1:{port}", "a"], 3, "cannot connect"),
            (["-u", gateway.url, "a"], 4, "HTTP status 403"),
        ]
        for arguments, code, words in rows:
            status, answer, said = tools(*arguments)
            assert (status, answer) == (code, ""), (arguments, said)
            assert words in said, (arguments, said)
    for option in ("-h", "--help"):
        status, answer, said = tools(option)
        assert (status, said) == (0, "") and "exit status:" in answer


def test_with_real_gateways(real_gateway: RealGateway) -> None:
    code, answer, said = tools("-u", real_gateway.url, "-v", "!tools")
    if real_gateway.version == "2.8.1":  # it fails on an answer without a text
        assert (code, answer) == (4, "") and "HTTP status 500" in said
    else:
        assert (code, answer) == (0, f"echo: {OSLO}\n")
        assert said == f'get_temperature({{"city":"Paris"}}): {PARIS}\nget_temperature({{"city":"Oslo"}}): {OSLO}\n'


def test_with_a_thinking_gemini(providers: RealGateway) -> None:
    """It calls tools in three rounds, twice in the first, and refuses a turn without the signatures of its calls."""
    providers.upstream.forget_requests()
    code, answer, said = tools("-u", providers.url, "-r", "gemini", "-v", "!rounds 3")
    assert (code, said.count("get_temperature(")) == (0, 4), said
    assert answer.startswith("echo: ") and "In Cairo it is 31.0 degrees Celsius." in answer
    bodies = [request["body"] for request in providers.upstream.requests()]
    assert [len(body["contents"]) for body in bodies] == [1, 3, 5, 7]
    second, last = ([part for turn in body["contents"] for part in turn["parts"]] for body in (bodies[1], bodies[-1]))
    assert [part["thoughtSignature"] for part in second if "functionCall" in part] == ["signature 0.0", "signature 0.1"]
    assert [part["functionCall"]["id"] for part in last if "functionCall" in part] == [
        "call_0_0", "call_0_1", "call_1_0", "call_2_0",
    ]  # fmt: skip
    assert [part["functionResponse"]["id"] for part in second if "functionResponse" in part] == ["call_0_0", "call_0_1"]
