"""Many threads on one handle, with concurrent setters: every response belongs to its request."""

import pytest
from support.builds import ADDRESS, ALL, SHARED, STATIC, THREAD, UNDEFINED, VALGRIND, Build
from support.event_streams import chunk, events, send_stream
from support.real_gateways import RealGateway
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, echo, one_route

CALLS = {
    SHARED.name: 1000, STATIC.name: 100, UNDEFINED.name: 100, ADDRESS.name: 100, VALGRIND.name: 20, THREAD.name: 50,
}  # fmt: skip


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_16_threads_share_a_handle_and_get_their_own_responses(build: Build) -> None:
    calls = CALLS[build.name]
    with ScriptedGateway(one_route(echo)) as gateway:
        done = build.run("test_threads.c", gateway.url, "r", "16", str(calls))
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{16 * calls} right responses\n"
        discoveries = [request for request in gateway.requests if request.method == "GET"]
        assert len(discoveries) == 1, "the dialect is discovered once"
        assert len(gateway.requests) == 16 * calls + 1
        for request in gateway.requests[1:]:
            assert request.json().get("stop") in (None, ["unused"]), "no request has half-changed settings"


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_threads_may_share_a_request(build: Build) -> None:
    def repeat(handler: Handler, request: Request) -> None:
        (message,) = request.json()["messages"]
        if request.json().get("stream"):
            words = message["content"].split(" ")
            chunks = [chunk(word if at == 0 else f" {word}") for at, word in enumerate(words)]
            send_stream(handler, events(*chunks, chunk(None, finish_reason="stop")))
        else:
            handler.respond(200, {"choices": [{"message": message}]})

    with ScriptedGateway(one_route(repeat, CHAT_ROUTE)) as gateway:
        done = build.run("test_shared_request.c", gateway.url, str(CALLS[build.name] // 5))
    assert (done.returncode, done.stderr) == (0, "")


def test_16_threads_get_their_own_responses_from_a_real_gateway(real_gateway: RealGateway) -> None:
    for route in ("completions", "chat"):
        done = SHARED.run("test_threads.c", real_gateway.url, route, "16", "10")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "160 right responses\n"
