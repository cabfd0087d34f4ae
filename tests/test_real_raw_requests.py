"""Raw requests to a real tracking server: APIs of the providers, the proxy route, and the REST API of MLflow."""

import json
from collections.abc import Iterator

import pytest
from gateways.scripted_responses import embedding
from support.builds import CHECKED, SHARED, Build
from support.operations import OTHER, Outcome, escaped, perform, perform_all
from support.real_gateways import RealGateway

BUILDS = pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
MODEL = "smollm2"
"""The model behind all endpoints."""


@pytest.fixture
def server(providers: RealGateway) -> Iterator[RealGateway]:
    """The server, without the recorded requests of earlier tests."""
    providers.upstream.forget_requests()
    yield providers


def body(**fields: object) -> str:
    return f"body {escaped(json.dumps(fields))}"


def arrived(server: RealGateway) -> dict:
    """Returns the only request that the provider received."""
    (request,) = server.upstream.requests()
    return request


def response(outcome: Outcome) -> dict:
    assert outcome.status == "OK" and outcome.response.attempts == 1, outcome
    return json.loads(outcome.response.body)


@BUILDS
def test_openai_responses_api_works(server: RealGateway, build: Build) -> None:
    fields = {"input": "héllo", "metadata": {"a": "b"}}
    outcome = perform(
        server.url, "path - /gateway/openai/v1/responses", body(model="openai", **fields), "send", build=build
    )
    assert response(outcome)["output"][0]["content"] == [{"type": "output_text", "text": "echo: héllo"}]
    assert outcome.response.texts == []
    assert arrived(server) == {"path": "/v1/responses", "body": {"model": MODEL, **fields}}


@BUILDS
def test_anthropic_messages_api_works(server: RealGateway, build: Build) -> None:
    fields = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    path = "path - /gateway/anthropic/v1/messages"
    outcome = perform(server.url, path, body(model="anthropic", **fields), "send", build=build)
    assert response(outcome)["content"] == [{"type": "text", "text": "echo: hi"}]
    assert outcome.response.texts == []
    assert arrived(server) == {"path": "/v1/messages", "body": {"model": MODEL, **fields}}


@BUILDS
def test_gemini_api_works(server: RealGateway, build: Build) -> None:
    fields = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = "path - /gateway/gemini/v1beta/models/gemini:generateContent"
    outcome = perform(server.url, path, body(**fields), "send", build=build)
    assert response(outcome)["candidates"][0]["content"]["parts"] == [{"text": "echo: hi"}]
    assert outcome.response.texts == []
    assert arrived(server) == {"path": f"/v1beta/models/{MODEL}:generateContent", "body": fields}


@BUILDS
def test_proxy_route_works_and_reads_the_chat_shape(server: RealGateway, build: Build) -> None:
    """The chat shape of OpenAI is read on any path."""
    fields = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
    path = "path POST /gateway/proxy/openai/v1/chat/completions"
    outcome = perform(server.url, path, body(**fields), "send", build=build)
    assert response(outcome)["choices"][0]["message"]["content"] == "echo: hi"
    assert (outcome.response.texts, outcome.response.model, outcome.response.usage) == (["echo: hi"], "any", [1, 2, 3])
    assert arrived(server) == {"path": "/v1/chat/completions", "body": fields}


def test_openai_chat_and_embeddings_apis_work(server: RealGateway) -> None:
    chat = {"messages": [{"role": "user", "content": "hi"}], "n": 2}
    outcome = perform(server.url, "path - /gateway/openai/v1/chat/completions", body(model="openai", **chat), "send")
    assert outcome.response.texts == ["echo: hi", "echo: hi #1"]
    outcome = perform(server.url, "path - /gateway/openai/v1/embeddings", body(model="openai", input="a"), "send")
    assert response(outcome)["data"][0]["embedding"] == embedding("a") and outcome.response.texts == []
    assert [request["path"] for request in server.upstream.requests()] == ["/v1/chat/completions", "/v1/embeddings"]


def test_rest_api_of_mlflow_works_with_all_methods_and_queries(server: RealGateway) -> None:
    """Creates, reads and deletes an experiment as MLflow's client does, and requests the health of the server."""
    api = "/api/2.0/mlflow/experiments"
    (created,) = perform_all(server.url, f"path - {api}/create", body(name="raw é"), "send")
    experiment = response(created)["experiment_id"]
    found, head, options, health, gone, missing = perform_all(
        server.url, f"path - {api}/get?experiment_id={experiment}", "send",
        "path HEAD /health", "send", "path GET /gateway/mlflow/v1/models?x=%20", "send", "path GET /health", "send",
        "again", f"path - {api}/delete", body(experiment_id=experiment), "send",
        "again", "path DELETE /health", "send",
    )  # fmt: skip
    assert response(found)["experiment"]["name"] == "raw é"
    assert {model["id"] for model in response(options)["data"]} == {"openai", "anthropic", "gemini"}
    assert (health.status, health.response.body) == ("OK", "OK")
    assert (head.status, head.response.body) == ("OK", "")
    assert (gone.status, gone.response.body.strip()) == ("OK", "{}")
    assert (missing.status, missing.error_http_status) == ("NOT_FOUND", 405), missing
    assert server.upstream.requests() == []


@BUILDS
def test_errors_contain_the_message_of_the_server(server: RealGateway, build: Build) -> None:
    rows = [
        ("/gateway/openai/v1/responses", {"model": "nope", "input": "hi"}, "NOT_FOUND", "GatewayEndpoint not found"),
        ("/gateway/openai/v1/responses", {"model": "anthropic", "input": "hi"}, None, "openai"),
        ("/gateway/no/such/path", {}, "NOT_FOUND", "check the method and the path"),
        ("/gateway/gemini/v1beta/models/nope:generateContent", {"contents": []}, "NOT_FOUND", "GatewayEndpoint not found"),
        ("/gateway/proxy/openai/v1/nothing", {"a": 1}, "NOT_FOUND", "no such path"),
    ]
    commands = [command for path, fields, _, _ in rows for command in ("again", f"path - {path}", body(**fields), "send")]
    for (path, _, status, phrase), outcome in zip(rows, perform_all(server.url, *commands, build=build)):
        assert outcome.status not in ("OK", "BAD_RESPONSE"), outcome
        assert status in (None, outcome.status), (path, outcome)
        assert phrase.lower() in outcome.message.lower(), outcome
        assert outcome.message.startswith(f"POST {server.url}{path}: HTTP status "), outcome


# Streams


def data(outcome: Outcome) -> list[tuple]:
    """Returns the names and the data of the events."""
    assert outcome.status in ("STREAM_END", "OK") and {event.kind for event in outcome.events} == {OTHER}, outcome
    return [(event.raw_name, json.loads(event.raw_data)) for event in outcome.events]


@BUILDS
@pytest.mark.parametrize("command", ["stream", "callback"])
def test_openai_responses_api_streams(server: RealGateway, command: str, build: Build) -> None:
    commands = ("show-raw", "path - /gateway/openai/v1/responses", body(model="openai", input="hi", stream=True))
    events = data(perform(server.url, *commands, command, build=build))
    assert [name for name, _ in events] == [
        "response.created", "response.output_text.delta", "response.output_text.delta", "response.completed",
    ]  # fmt: skip
    assert "".join(event["delta"] for _, event in events[1:3]) == "echo: hi"
    assert arrived(server) == {"path": "/v1/responses", "body": {"model": MODEL, "input": "hi", "stream": True}}


@BUILDS
def test_anthropic_messages_api_streams(server: RealGateway, build: Build) -> None:
    messages = [{"role": "user", "content": "hi"}]
    fields = body(model="anthropic", max_tokens=5, messages=messages, stream=True)
    outcome = perform(server.url, "show-raw", "path - /gateway/anthropic/v1/messages", fields, "stream", build=build)
    assert [name for name, _ in data(outcome)] == ["message_start", *["content_block_delta"] * 2, "message_stop"]
    assert arrived(server)["body"]["stream"] is True


@BUILDS
def test_gemini_api_streams(server: RealGateway, build: Build) -> None:
    fields = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = "path - /gateway/gemini/v1beta/models/gemini:streamGenerateContent?alt=sse"
    ((name, event),) = data(perform(server.url, "show-raw", path, body(**fields), "stream", build=build))
    assert (name, event["candidates"][0]["content"]["parts"]) == (None, [{"text": "echo: hi"}])
    assert arrived(server)["body"] == fields, "no stream flag is added"


def test_proxy_route_streams(server: RealGateway) -> None:
    fields = body(messages=[{"role": "user", "content": "hi"}], stream=True)
    outcome = perform(server.url, "show-raw", "path - /gateway/proxy/openai/v1/chat/completions", fields, "stream")
    assert "".join(event["choices"][0]["delta"].get("content") or "" for _, event in data(outcome)) == "echo: hi"
    assert len(server.upstream.requests()) == 1
