"""Bad arguments of every C function: each gets a status, and nothing crashes or leaks."""

import itertools
import json
import re

import pytest
from support.builds import ALL, INCLUDE, ROOT, Build
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, Script, ScriptedGateway, one_route, refused_port

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}

PROGRAMS = [
    "test_arguments.c", "test_request_arguments.c", "test_call_arguments.c", "test_response_arguments.c",
    "test_route_arguments.c", "test_json_arguments.c", "test_queue_arguments.c",
]  # fmt: skip
TAKE_NO_ARGUMENTS = {"mlflow_gateway_llm_type", "mlflow_gateway_version", "mlflow_gateway_version_number"}
TAKES_ANY_NUMBER = {"mlflow_gateway_status_name"}

FULL_RESPONSE = {
    "id": "i",
    "model": "m",
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    "choices": [
        {"message": {"role": "assistant", "content": "one"}, "finish_reason": "stop"},
        {
            "message": {
                "role": "assistant",
                "content": None,
                "reasoning": "hm",
                "refusal": "no",
                "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '{"a":1}'}}, {"function": {}}],
            },
            "finish_reason": "tool_calls",
        },
    ],
}
BARE_RESPONSE = {"choices": [{"message": {"content": ""}}]}

CHUNKS = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "He"}}]},
    {"choices": [{"index": 0, "delta": {"content": "llo"}, "finish_reason": "stop"}]},
    {"choices": [{"index": 1, "delta": {"content": "two"}}]},
    {"choices": [{"index": 1, "delta": {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]}}]},
    {"choices": [{"index": 1, "delta": {}, "finish_reason": "tool_calls"}], "usage": FULL_RESPONSE["usage"]},
]


def echo_body(handler: Handler, request: Request) -> None:
    """Responds with the body of the request as the text of a message, or with nothing if it has no body."""
    if not request.body:
        handler.respond(200, "")
        return
    handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": request.body.decode()}}]})


def chat_script() -> Script:
    """Responds as the prompt requires: `full`, `bare`, `broken` after a chunk, or `busy` at two of three attempts."""
    busy = itertools.cycle((503, 429, 200))

    def chat(handler: Handler, request: Request) -> None:
        body = request.json()
        kind = body["messages"][0]["content"]
        status = next(busy) if kind == "busy" else 200
        if status != 200:
            handler.respond(status, {"detail": "not now"})
        elif not body.get("stream"):
            response = FULL_RESPONSE if kind == "full" else BARE_RESPONSE
            handler.respond(200, response, {"Content-Type": "application/json"})
        else:
            chunks = CHUNKS[:1] if kind == "broken" else CHUNKS
            events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
            handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + events.encode())

    return chat


def embed(handler: Handler, request: Request) -> None:
    """Responds with the same embedding for each input; the first input selects `full` or `bare`."""
    inputs = request.json()["input"]
    about = {"model": "v", "usage": {"prompt_tokens": 5}} if inputs[0] == "full" else {}
    handler.respond(200, {"data": [{"embedding": [1, 2, 3]} for _ in inputs], **about})


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_handle_functions_and_call_reject_bad_arguments(build: Build) -> None:
    with refused_port() as port:
        done = build.run("test_arguments.c", f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_request_functions_reject_bad_arguments(build: Build) -> None:
    with ScriptedGateway(one_route(echo_body, CHAT_ROUTE)) as gateway:
        done = build.run("test_request_arguments.c", gateway.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_send_functions_reject_bad_arguments(build: Build) -> None:
    with refused_port() as port:
        done = build.run("test_call_arguments.c", f"http://127.0.0.1:{port}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_response_functions_reject_bad_arguments(build: Build) -> None:
    with ScriptedGateway(one_route(chat_script(), CHAT_ROUTE)) as chats:
        with ScriptedGateway(one_route(embed, EMBEDDINGS_ROUTE)) as embeddings:
            done = build.run("test_response_arguments.c", chats.url, embeddings.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_queue_functions_reject_bad_arguments(build: Build) -> None:
    with ScriptedGateway(one_route(chat_script(), CHAT_ROUTE)) as chats:
        with ScriptedGateway(one_route(embed, EMBEDDINGS_ROUTE)) as embeddings:
            done = build.run("test_queue_arguments.c", chats.url, embeddings.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_route_limit_and_log_functions_reject_bad_arguments(build: Build) -> None:
    full = {**CHAT_ROUTE, "model": {"provider": "openai", "name": "gpt"}}
    routes = [full, {"name": "bare", "endpoint_type": "llm/v1/chat"}]

    def listing(entries: list[dict]) -> ScriptedGateway:
        def script(handler: Handler, request: Request) -> None:
            is_list = request.path.split("?")[0] == "/api/2.0/endpoints/"
            handler.respond(200, {"endpoints": entries} if is_list else full)

        return ScriptedGateway(script)

    with refused_port() as port, listing(routes) as gateway, listing([]) as empty:
        done = build.run("test_route_arguments.c", f"http://127.0.0.1:{port}", gateway.url, empty.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_json_functions_reject_bad_arguments(build: Build) -> None:
    done = build.run("test_json_arguments.c")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_function_of_the_header_is_covered() -> None:
    """A function added to the header must be added to one of these programs."""
    named = re.compile(r"\bmlflow_gateway_\w+(?=\()")
    declared = set(named.findall(re.sub(r"/\*.*?\*/", "", (INCLUDE / "mlflow_ai_gateway.h").read_text(), flags=re.S)))
    sources = "".join((ROOT / "tests/c" / program).read_text() for program in PROGRAMS)
    assert declared - set(re.findall(r"\bmlflow_gateway_\w+", sources)) == TAKE_NO_ARGUMENTS | TAKES_ANY_NUMBER
