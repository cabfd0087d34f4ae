"""A panic inside the library is returned as a status."""

import re

import pytest
from support.builds import PANIC, PANIC_VALGRIND, Build
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, echo, one_route


def echo_message(handler: Handler, request: Request) -> None:
    text = "echo: " + request.json()["messages"][0]["content"]
    handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": text}}]})


@pytest.mark.parametrize("build", (PANIC, PANIC_VALGRIND), ids=lambda build: build.name)
def test_panic_in_a_call_is_returned_as_status(build: Build) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = build.run("test_panic.c", gateway.url, "r")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a panic prints nothing"
    message = r"internal error in mlflow-ai-gateway, please report it: .*the test requests a panic.* \(src/http/agent\.rs:\d+\)"
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(re.search(message, line) for line in lines), lines


@pytest.mark.parametrize("build", (PANIC, PANIC_VALGRIND), ids=lambda build: build.name)
def test_panic_in_every_operation_is_returned_as_status(build: Build) -> None:
    route = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
    with ScriptedGateway(one_route(echo_message, CHAT_ROUTE)) as chats, ScriptedGateway(one_route(echo, route)) as embeddings:
        done = build.run("test_panic_full.c", chats.url, embeddings.url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 6 and all("the test requests a panic" in line for line in lines), lines
