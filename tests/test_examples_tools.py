"""The example tools: a model calls a function of the program."""

import json

import pytest
from builds import ALL, SHARED, Build
from conftest import RealGateway
from gateways import scripted_answers
from scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, answering, refused_port
from scripted_model import model, questions

PARIS = "In Paris it is 18.5 degrees Celsius."
OSLO = "In Oslo it is 9.0 degrees Celsius."
UNKNOWN = "The temperature in {} is not known."
WRONG = "The arguments must be one city, without escaped characters."
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
        ('{"city":"Zürich"}', UNKNOWN.format("Zürich")),
        ('{"city":"%s%n"}', UNKNOWN.format("%s%n")),
        (json.dumps({"city": "x" * 63}), UNKNOWN.format("x" * 63)),
        (json.dumps({"city": "x" * 64}), WRONG),
        ('{"city":"\\u0050aris"}', WRONG),
        ('{"city":"Paris"', WRONG),
        ('{"city":"Paris', WRONG),
        ('{"city":"', WRONG),
        ('{"city":""}', WRONG),
        ('{"city":"Paris"}}', WRONG),
        ('{"city":"Paris","unit":"C"}', WRONG),
        ('{"town":"Paris"}', WRONG),
        ('{"city":7}', WRONG),
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
        assert 'get_temperature({"city":"Zürich"}): The temperature in Zürich is not known.\n' in said
        _, assistant, *told = questions(gateway)[-1].json()["messages"]
        sent_back = [{**one, "function": {**one["function"], "arguments": one["function"]["arguments"] or "{}"}} for one in calls]
        assert assistant == {"role": "assistant", "content": words, "tool_calls": sent_back}
        assert told == [
            {"role": "tool", "tool_call_id": one["id"], "content": result} for one, result in zip(calls, results)
        ]


def tool_call(id: str, name: str, arguments: str) -> dict:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_it_says_when_one_round_is_not_enough() -> None:
    def insist(handler: Handler, request: Request) -> None:
        question = scripted_answers.chat_question(request.json())._replace(wants_tools=True)
        handler.answer(200, scripted_answers.answer(question))

    with ScriptedGateway(answering(insist, CHAT_ROUTE)) as gateway:
        code, answer, said = tools("-u", gateway.url, "a")
        assert (code, answer) == (5, "") and "more tools" in said


def test_it_says_what_is_wrong() -> None:
    with refused_port() as port, ScriptedGateway(
        answering(lambda handler, request: handler.answer(403, {"detail": "no"}), CHAT_ROUTE)
    ) as gateway:
        rows = [
            ([], 2, "there is no question"),
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
    status, answer, said = tools("-h")
    assert (status, said) == (0, "") and "exit status:" in answer


def test_with_real_gateways(real_gateway: RealGateway) -> None:
    code, answer, said = tools("-u", real_gateway.url, "-v", "!tools")
    if real_gateway.version == "2.8.1":  # it fails on an answer without a text
        assert (code, answer) == (4, "") and "HTTP status 500" in said
    else:
        assert (code, answer) == (0, f"echo: {OSLO}\n")
        assert said == f'get_temperature({{"city":"Paris"}}): {PARIS}\nget_temperature({{"city":"Oslo"}}): {OSLO}\n'
