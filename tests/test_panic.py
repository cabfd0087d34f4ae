"""A fault inside the library comes back as a status."""

import re

import pytest
from builds import PANIC, PANIC_VALGRIND, Build
from scripted_gateway import CHAT_ROUTE, ScriptedGateway, answering, echo


@pytest.mark.parametrize("build", (PANIC, PANIC_VALGRIND), ids=lambda build: build.name)
def test_a_panic_comes_back_as_a_status(build: Build) -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        done = build.run("test_panic.c", gateway.url, "r")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nothing is printed by a panic"
    message = r"internal error in mlflow-ai-gateway, please report it: .*a panic was asked for.* \(src/http/agent\.rs:\d+\)"
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(re.search(message, line) for line in lines), lines


@pytest.mark.parametrize("build", (PANIC, PANIC_VALGRIND), ids=lambda build: build.name)
def test_so_do_those_of_the_full_path(build: Build) -> None:
    route = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
    with ScriptedGateway(answering(echo, CHAT_ROUTE)) as chats, ScriptedGateway(answering(echo, route)) as embeddings:
        done = build.run("test_panic_full.c", chats.url, embeddings.url)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and all("a panic was asked for" in line for line in lines), lines
