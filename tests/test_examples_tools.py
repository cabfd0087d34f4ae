"""The example tools: a model calls a function of the program."""

import json

import pytest
from gateways import scripted_responses
from support.builds import ALL, SHARED, Build
from support.real_gateways import RealGateway
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, Script, ScriptedGateway, one_route, refused_port
from support.scripted_model import model, post_requests

PARIS = "In Paris it is 18.5 degrees Celsius."
OSLO = "In Oslo it is 9.0 degrees Celsius."
UNKNOWN = "The temperature in this city is not known."
WRONG = 'The arguments must be JSON with a string "city".'
NO_TOOL = "There is no such tool."


def tools(*arguments: str, build: Build = SHARED) -> tuple[int, str, str]:
    done = build.run("tools.c", *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_tool_calls_are_run_and_their_results_sent_back(build: Build) -> None:
    with ScriptedGateway(one_route(model, CHAT_ROUTE)) as gateway:
        assert tools("-u", gateway.url, "!tools", build=build) == (0, f"echo: {OSLO}\n", "")
        first, second = (request.json() for request in post_requests(gateway))
        assert first["tools"] == second["tools"]
        prompt, calls, *results = second["messages"]
        assert [prompt] == first["messages"] == [{"role": "user", "content": "!tools"}]
        assert (calls["role"], calls["content"]) == ("assistant", None)
        assert [call["function"]["name"] for call in calls["tool_calls"]] == ["get_temperature"] * 2
        assert results == [
            {"role": "tool", "tool_call_id": "call_0_0", "content": PARIS},
            {"role": "tool", "tool_call_id": "call_0_1", "content": OSLO},
        ]
        assert tools("-u", gateway.url, "no tools", build=build) == (0, "echo: no tools\n", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_invalid_tool_calls_get_an_error_as_result(build: Build) -> None:
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
    text = '"let"\nme\0see'

    def call(handler: Handler, request: Request) -> None:
        if len(request.json()["messages"]) == 1:
            message = {"role": "assistant", "content": text, "tool_calls": calls}
            handler.respond(200, {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
        else:
            model(handler, request)

    with ScriptedGateway(one_route(call, CHAT_ROUTE)) as gateway:
        code, output, errors = tools("-u", gateway.url, "-v", "which?", build=build)
        assert (code, output) == (0, f"echo: {NO_TOOL}\n"), errors
        assert f'get_temperature({{"city":"Zürich"}}): {UNKNOWN}\n' in errors
        _, assistant, *sent = post_requests(gateway)[-1].json()["messages"]
        sent_back = [{**one, "function": {**one["function"], "arguments": one["function"]["arguments"] or "{}"}} for one in calls]
        assert assistant == {"role": "assistant", "content": text, "tool_calls": sent_back}
        assert sent == [
            {"role": "tool", **({"tool_call_id": one["id"]} if one["id"] else {}), "content": result}
            for one, result in zip(calls, results)
        ]


def tool_call(id: str, name: str, arguments: str) -> dict:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling_tools(rounds: int) -> Script:
    """Calls tools in this number of rounds, and then responds with text."""

    def script(handler: Handler, request: Request) -> None:
        called = sum("tool_calls" in message for message in request.json()["messages"])
        prompt = scripted_responses.chat_request(request.json())._replace(wants_tools=called < rounds)
        handler.respond(200, scripted_responses.response(prompt))

    return one_route(script, CHAT_ROUTE)


def test_tools_runs_several_rounds_of_tool_calls() -> None:
    with ScriptedGateway(calling_tools(3)) as gateway:
        assert tools("-u", gateway.url, "a") == (0, f"echo: {OSLO}\n", "")
        last = post_requests(gateway)[-1].json()["messages"]
        assert [message["role"] for message in last] == ["user", *["assistant", "tool", "tool"] * 3]
    with ScriptedGateway(calling_tools(8)) as gateway:
        assert tools("-u", gateway.url, "a") == (0, f"echo: {OSLO}\n", "")


def test_tools_stops_after_its_maximum_of_rounds() -> None:
    with ScriptedGateway(calling_tools(1000)) as gateway:
        code, output, errors = tools("-u", gateway.url, "a")
        assert (code, output) == (5, "") and "still calls tools" in errors
        assert len(post_requests(gateway)) == 9


def test_result_of_a_call_without_id_has_no_id() -> None:
    call = {"type": "function", "function": {"name": "get_temperature", "arguments": '{"city":"Oslo"}'}}

    def script(handler: Handler, request: Request) -> None:
        if len(request.json()["messages"]) == 1:
            handler.respond(200, {"choices": [{"message": {"role": "assistant", "tool_calls": [call]}}]})
        else:
            model(handler, request)

    with ScriptedGateway(one_route(script, CHAT_ROUTE)) as gateway:
        assert tools("-u", gateway.url, "a") == (0, f"echo: {OSLO}\n", "")
        assert post_requests(gateway)[-1].json()["messages"][-1] == {"role": "tool", "content": OSLO}


def test_tools_reports_errors_with_its_exit_status() -> None:
    with refused_port() as port, ScriptedGateway(
        one_route(lambda handler, request: handler.respond(403, {"detail": "no"}), CHAT_ROUTE)
    ) as gateway:
        rows = [
            ([], 2, "no prompt given"),
            (["a", "b"], 2, "put it in quotes"),
            (["-z"], 2, "usage: tools"),
            (["a"], 2, "set the environment variable MLFLOW_GATEWAY_URI"),
            (["-u", f"http://127.0.0.1:{port}", "a"], 3, "cannot connect"),
            (["-u", gateway.url, "a"], 4, "HTTP status 403"),
        ]
        for arguments, code, phrase in rows:
            status, output, errors = tools(*arguments)
            assert (status, output) == (code, ""), (arguments, errors)
            assert phrase in errors, (arguments, errors)
    for option in ("-h", "--help"):
        status, output, errors = tools(option)
        assert (status, errors) == (0, "") and "exit status:" in output


def test_tools_works_with_real_gateways(real_gateway: RealGateway) -> None:
    code, output, errors = tools("-u", real_gateway.url, "-v", "!tools")
    if real_gateway.version == "2.8.1":  # it fails on a response without text
        assert (code, output) == (4, "") and "HTTP status 500" in errors
    else:
        assert (code, output) == (0, f"echo: {OSLO}\n")
        assert errors == f'get_temperature({{"city":"Paris"}}): {PARIS}\nget_temperature({{"city":"Oslo"}}): {OSLO}\n'


def test_signatures_of_geminis_tool_calls_are_sent_back(providers: RealGateway) -> None:
    """The model calls tools in three rounds, twice in the first, and rejects calls without their signatures."""
    providers.upstream.forget_requests()
    code, output, errors = tools("-u", providers.url, "-r", "gemini", "-v", "!rounds 3")
    assert (code, errors.count("get_temperature(")) == (0, 4), errors
    assert output.startswith("echo: ") and "In Cairo it is 31.0 degrees Celsius." in output
    bodies = [request["body"] for request in providers.upstream.requests()]
    assert [len(body["contents"]) for body in bodies] == [1, 3, 5, 7]
    second, last = ([part for turn in body["contents"] for part in turn["parts"]] for body in (bodies[1], bodies[-1]))
    assert [part["thoughtSignature"] for part in second if "functionCall" in part] == ["signature 0.0", "signature 0.1"]
    assert [part["functionCall"]["id"] for part in last if "functionCall" in part] == [
        "call_0_0", "call_0_1", "call_1_0", "call_2_0",
    ]  # fmt: skip
    assert [part["functionResponse"]["id"] for part in second if "functionResponse" in part] == ["call_0_0", "call_0_1"]
