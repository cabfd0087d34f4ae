"""Routes per request: one handle for many routes, each of which is discovered once."""

import threading
import time

import pytest
from support.builds import CHECKED, SHARED, Build
from support.databricks_workspace import Workspace
from support.operations import perform_all
from support.real_gateways import RealGateway
from support.scripted_gateway import NOT_FOUND, Handler, Request, ScriptedGateway

TASKS = {"completions": "llm/v1/completions", "chat": "llm/v1/chat", "embeddings": "llm/v1/embeddings"}
NAMING = "mlflow_gateway_request_set_route() or mlflow_gateway_create()"


def many_routes(handler: Handler, request: Request) -> None:
    """A deployments server with a route of any name, which starts with its task."""
    name = request.path.split("/")[-1 if request.method == "GET" else 2]
    task = TASKS.get(name.split("-")[0], TASKS["chat"])
    if request.path == f"/api/2.0/endpoints/{name}":
        handler.respond(200, {"name": name, "endpoint_type": task})
    elif request.path == f"/endpoints/{name}/invocations":
        body = request.json()
        prompt = body.get("prompt") or body.get("messages", [{}])[-1].get("content")
        message = {"role": "assistant", "content": f"{name}: {prompt}"}
        data = [{"embedding": [1.0]} for _ in body.get("input", [])]
        handler.respond(200, {"choices": [{"text": f"{name}: {prompt}", "message": message}], "data": data})
    else:
        handler.respond(404, NOT_FOUND)


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@pytest.mark.parametrize("own", ["", "own"])
def test_request_is_sent_to_its_own_route(own: str, build: Build) -> None:
    with ScriptedGateway(many_routes) as gateway:
        outcomes = perform_all(
            gateway.url, "prompt hi", "request-route chat-a", "send", "request-route completions-b", "send", "stream",
            "request-route gateway:/chat-a", "send", "again", "input x", "request-route embeddings-c", "embed",
            route=own, build=build,
        )  # fmt: skip
        chat, completions, whole, again, embedded = outcomes
        assert [outcome.response.texts[0] for outcome in (chat, completions, again)] == [
            "chat-a: hi", "completions-b: hi", "chat-a: hi",
        ]  # fmt: skip
        assert whole.text() == "completions-b: hi" and embedded.embeddings.count == 1
        assert gateway.paths() == [
            "GET /api/2.0/endpoints/chat-a",
            "POST /endpoints/chat-a/invocations",
            "GET /api/2.0/endpoints/completions-b",
            "POST /endpoints/completions-b/invocations",
            "POST /endpoints/completions-b/invocations",
            "POST /endpoints/chat-a/invocations",
            "GET /api/2.0/endpoints/embeddings-c",
            "POST /endpoints/embeddings-c/invocations",
        ]
        assert gateway.connections == 1


def test_route_of_the_handle_applies_if_the_request_has_none() -> None:
    with ScriptedGateway(many_routes) as gateway:
        own, other, own_by_name, own_again = perform_all(
            gateway.url, "prompt hi", "send", "request-route chat-b", "send", "request-route chat-a", "send",
            "request-route ", "send", route="chat-a",
        )  # fmt: skip
        texts = [outcome.response.texts[0] for outcome in (own, other, own_by_name, own_again)]
        assert texts == ["chat-a: hi", "chat-b: hi", "chat-a: hi", "chat-a: hi"]
        assert [path for path in gateway.paths() if path.startswith("GET")] == [
            "GET /api/2.0/endpoints/chat-a",
            "GET /api/2.0/endpoints/chat-b",
        ], "the handle's own route is remembered under its name"


def test_nothing_is_sent_without_a_route() -> None:
    with ScriptedGateway(many_routes) as gateway:
        outcomes = perform_all(gateway.url, "prompt hi", "send", "stream", "callback", "call hi", "get-route", route="")
        for outcome in outcomes:
            assert outcome.status == "INVALID_ARGUMENT" and "mlflow_gateway_create()" in outcome.message, outcome
        assert all(NAMING in outcome.message for outcome in outcomes[:3])
        assert gateway.requests == []
        health, identified = perform_all(gateway.url, "health", "identify", route="")
        assert health.status == "NOT_FOUND" and identified.result.startswith('{"gateway_uri":"http://')
        assert "route" not in identified.result


def test_at_most_2000_routes_are_remembered_and_frequent_ones_stay() -> None:
    """The number of remembered routes is bounded, and frequently used ones stay."""
    commands = []
    for number in range(2500):
        commands += [f"request-route chat-{number}", "send"]
        if number % 400 == 0:
            commands += ["request-route chat-often", "send"]
    with ScriptedGateway(many_routes) as gateway:
        outcomes = perform_all(gateway.url, "prompt hi", *commands, "request-route chat-0", "send", route="chat-own")
        assert all(outcome.status == "OK" for outcome in outcomes)
        assert outcomes[-1].response.texts == ["chat-0: hi"]
        paths = gateway.paths()
        assert paths.count("GET /api/2.0/endpoints/chat-often") == 1
        assert paths.count("GET /api/2.0/endpoints/chat-0") == 2, "it was evicted meanwhile"
        assert gateway.connections == 1


def test_discovery_starts_with_the_dialect_of_the_previous_route(tracking_server: RealGateway) -> None:
    commands = ("request-route chat", "send", "request-route traced", "send")
    for outcome in perform_all(tracking_server.url, "log 3", "prompt hi", *commands, route=""):
        assert outcome.response.texts == ["echo: hi"]
    requested = [line.text.split(": ")[0].replace(tracking_server.url, "") for line in outcome.log]
    assert requested[0] == "GET /gateway/mlflow/v1/models" and requested[1].startswith("POST /gateway/traced/"), (
        requested
    )


def test_token_is_fetched_once_for_all_routes() -> None:
    with Workspace() as workspace:
        commands = ("request-route chat", "send", "request-route agent", "send", "request-route completions", "send")
        outcomes = perform_all("databricks", "prompt hi", *commands, route="", env=workspace.service_environment())
        assert [outcome.response.texts for outcome in outcomes] == [["echo: hi"]] * 3
        assert workspace.token_requests() == 1


@pytest.mark.parametrize("routes", [1, 4])
def test_threads_share_one_discovery_per_route(routes: int) -> None:
    """All threads use one handle."""
    requested: list[str] = []
    lock = threading.Lock()

    def script(handler: Handler, request: Request) -> None:
        if request.method == "GET":
            with lock:
                requested.append(request.path)
            time.sleep(0.2)
        many_routes(handler, request)

    with ScriptedGateway(script) as gateway:
        done = SHARED.run("test_route_threads.c", gateway.url, str(routes))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(requested) == [f"/api/2.0/endpoints/chat-{number}" for number in range(routes)]
