"""pthread_cancel() on a thread inside a call takes effect after the call."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from support.builds import ADDRESS, PLAIN, SHARED, STATIC, VALGRIND, Build
from support.event_streams import chunk, events, head
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
    one_route,
    unreachable_port,
)

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
SECONDS_LATER = 0.8
"""Longer than tests/c/test_thread_cancel.c waits before the cancellation."""
SHORT_TIMEOUT = "timeout_ms=1500"


class Case(NamedTuple):
    """The operation during which the thread is cancelled."""

    call: str
    server: str
    """The behavior of the gateway."""
    status: str
    milliseconds: int
    """The minimum duration of the call."""
    options: tuple[str, ...] = ()


CASES = {
    "connecting": Case("call", "unreachable", "TIMEOUT", 1500, (SHORT_TIMEOUT,)),
    "waiting in vain": Case("call", "silent", "TIMEOUT", 1500, (SHORT_TIMEOUT,)),
    "waiting": Case("call", "late", "OK", 700),
    "waiting for a response": Case("send", "late", "OK", 700),
    "reading a stream": Case("stream", "streams late", "STREAM_END", 700),
    "reading a stream in vain": Case("stream", "stops", "TIMEOUT", 1500, ("stream_timeout_ms=1500",)),
    "in a callback": Case("callback", "streams", "OK", 300),
    "sleeping before a retry": Case("send", "busy", "OK", 900, ("max_retries=1",)),
    "waiting for its own threads": Case("embed", "embeds", "OK", 700, ("embed_batch_size=1", "embed_concurrency=4")),
    "fetching from a queue": Case("fetch", "late", "OK", 700),
    "fetching from an idle queue": Case("wait", "silent", "PENDING", 700),
    "waiting for routes": Case("list", "silent", "TIMEOUT", 1500, (SHORT_TIMEOUT,)),
    "waiting for the health": Case("health", "silent", "TIMEOUT", 1500, (SHORT_TIMEOUT,)),
}


@contextlib.contextmanager
def serving(server: str) -> Iterator[str]:
    """Yields the URI of a gateway with this behavior."""
    busy = itertools.chain([True], itertools.repeat(False))
    response = {"choices": [{"message": {"role": "assistant", "content": "x"}}]}
    first, last = events(chunk("x")), events(chunk("y"), chunk(None, finish_reason="stop"))

    def play(handler: Handler, request: Request) -> None:
        if server == "silent":
            handler.stall()
        elif server == "late":
            time.sleep(SECONDS_LATER)
            handler.respond(200, response)
        elif server == "busy" and next(busy):
            handler.respond(503, {"detail": "busy"}, {"Retry-After": "1"})
        elif server == "busy":
            handler.respond(200, response)
        elif server == "embeds":
            time.sleep(SECONDS_LATER)
            handler.respond(200, {"data": [{"embedding": [1.0]} for _ in request.json()["input"]]})
        else:
            handler.wfile.write(head("until close", 0) + first.encode())
            handler.wfile.flush()
            if server == "stops":
                handler.stall()
            elif server == "streams late":
                time.sleep(SECONDS_LATER)
            handler.wfile.write(last.encode())
            handler.close_connection = True

    if server == "unreachable":
        with unreachable_port() as port:
            yield f"http://{HOST}:{port}"
        return
    route = EMBEDDINGS_ROUTE if server == "embeds" else CHAT_ROUTE
    script = play if server == "silent" else one_route(play, route)
    with ScriptedGateway(script) as gateway:
        yield gateway.url


@pytest.mark.parametrize("type_", ["deferred", "asynchronous"])
@pytest.mark.parametrize(
    ("case", "build"),
    [
        *((case, build) for case in CASES for build in (SHARED, VALGRIND)),
        *((case, build) for case in ("waiting", "reading a stream") for build in (STATIC, ADDRESS)),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_thread_cancelled_during_a_call_ends_after_the_call(case: str, build: Build, type_: str) -> None:
    call, server, status, milliseconds, options = CASES[case]
    with serving(server) as url:
        arguments = [url, type_, call, f"MLFLOW_GATEWAY_{status}", str(milliseconds), *options]
        done = build.run("test_thread_cancel.c", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("build", (*PLAIN, VALGRIND, ADDRESS), ids=lambda build: build.name)
def test_thread_with_pending_cancellation_can_cancel_calls(build: Build) -> None:
    with serving("silent") as url:
        done = build.run("test_thread_cancel.c", url, "deferred", "cancel", "MLFLOW_GATEWAY_CANCELLED", "0")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
