"""Many threads on one handle, with setters beside them: every answer belongs to its question."""

import pytest
from builds import ADDRESS, ALL, SHARED, STATIC, THREAD, UNDEFINED, VALGRIND, Build
from conftest import RealGateway
from event_streams import chunk, events, send
from scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, answering, echo

CALLS = {
    SHARED.name: 1000, STATIC.name: 100, UNDEFINED.name: 100, ADDRESS.name: 100, VALGRIND.name: 20, THREAD.name: 50,
}  # fmt: skip


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_sixteen_threads_share_a_handle(build: Build) -> None:
    calls = CALLS[build.name]
    with ScriptedGateway(answering(echo)) as gateway:
        done = build.run("test_threads.c", gateway.url, "r", "16", str(calls))
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{16 * calls} right responses\n"
        asked = [request for request in gateway.requests if request.method == "GET"]
        assert len(asked) == 1, "the server is asked once which dialect it speaks"
        assert len(gateway.requests) == 16 * calls + 1
        for request in gateway.requests[1:]:
            assert request.json().get("stop") in (None, ["unused"]), "settings are never seen half changed"


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_threads_share_a_request(build: Build) -> None:
    def repeat(handler: Handler, request: Request) -> None:
        (message,) = request.json()["messages"]
        if request.json().get("stream"):
            words = message["content"].split(" ")
            chunks = [chunk(word if at == 0 else f" {word}") for at, word in enumerate(words)]
            send(handler, events(*chunks, chunk(None, finish_reason="stop")))
        else:
            handler.answer(200, {"choices": [{"message": message}]})

    with ScriptedGateway(answering(repeat, CHAT_ROUTE)) as gateway:
        done = build.run("test_shared_request.c", gateway.url, str(CALLS[build.name] // 5))
    assert (done.returncode, done.stderr) == (0, "")


def test_sixteen_threads_ask_a_real_gateway(real_gateway: RealGateway) -> None:
    for route in ("completions", "chat"):
        done = SHARED.run("test_threads.c", real_gateway.url, route, "16", "10")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "160 right responses\n"
