"""Raw requests to a real tracking server: the providers' own APIs, the proxy route, and the rest of its REST API."""

import json
from collections.abc import Iterator

import pytest
from gateways.scripted_answers import embedding
from support.builds import CHECKED, SHARED, Build
from support.operations import OTHER, Outcome, escaped, perform, perform_all
from support.real_gateways import RealGateway

BUILDS = pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
MODEL = "smollm2"
"""What all endpoints have behind them."""


@pytest.fixture
def server(providers: RealGateway) -> Iterator[RealGateway]:
    """The server without what it was asked before."""
    providers.upstream.forget_requests()
    yield providers


def body(**fields: object) -> str:
    return f"body {escaped(json.dumps(fields))}"


def arrived(server: RealGateway) -> dict:
    """What the provider was sent, once."""
    (request,) = server.upstream.requests()
    return request


def response(outcome: Outcome) -> dict:
    assert outcome.status == "OK" and outcome.response.attempts == 1, outcome
    return json.loads(outcome.response.body)


@BUILDS
def test_responses(server: RealGateway, build: Build) -> None:
    fields = {"input": "héllo", "metadata": {"a": "b"}}
    outcome = perform(server.url, "path - /gateway/openai/v1/responses", body(model="openai", **fields), "send", build=build)
    assert response(outcome)["output"][0]["content"] == [{"type": "output_text", "text": "echo: héllo"}]
    assert outcome.response.texts == []
    assert arrived(server) == {"path": "/v1/responses", "body": {"model": MODEL, **fields}}


@BUILDS
def test_anthropic_messages(server: RealGateway, build: Build) -> None:
    fields = {"max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    path = "path - /gateway/anthropic/v1/messages"
    outcome = perform(server.url, path, body(model="anthropic", **fields), "send", build=build)
    assert response(outcome)["content"] == [{"type": "text", "text": "echo: hi"}]
    assert outcome.response.texts == []
    assert arrived(server) == {"path": "/v1/messages", "body": {"model": MODEL, **fields}}


@BUILDS
def test_gemini(server: RealGateway, build: Build) -> None:
    fields = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = "path - /gateway/gemini/v1beta/models/gemini:generateContent"
    outcome = perform(server.url, path, body(**fields), "send", build=build)
    assert response(outcome)["candidates"][0]["content"]["parts"] == [{"text": "echo: hi"}]
    assert outcome.response.texts == []
    assert arrived(server) == {"path": f"/v1beta/models/{MODEL}:generateContent", "body": fields}


@BUILDS
def test_the_proxy_route(server: RealGateway, build: Build) -> None:
    """OpenAI's chat shape is read, whatever the path is."""
    fields = {"model": "any", "messages": [{"role": "user", "content": "hi"}]}
    path = "path POST /gateway/proxy/openai/v1/chat/completions"
    outcome = perform(server.url, path, body(**fields), "send", build=build)
    assert response(outcome)["choices"][0]["message"]["content"] == "echo: hi"
    assert (outcome.response.texts, outcome.response.model, outcome.response.usage) == (["echo: hi"], "any", [1, 2, 3])
    assert arrived(server) == {"path": "/v1/chat/completions", "body": fields}


def test_chat_and_embeddings_as_openai_has_them(server: RealGateway) -> None:
    chat = {"messages": [{"role": "user", "content": "hi"}], "n": 2}
    outcome = perform(server.url, "path - /gateway/openai/v1/chat/completions", body(model="openai", **chat), "send")
    assert outcome.response.texts == ["echo: hi", "echo: hi #1"]
    outcome = perform(server.url, "path - /gateway/openai/v1/embeddings", body(model="openai", input="a"), "send")
    assert response(outcome)["data"][0]["embedding"] == embedding("a") and outcome.response.texts == []
    assert [request["path"] for request in server.upstream.requests()] == ["/v1/chat/completions", "/v1/embeddings"]


def test_other_methods_and_queries(server: RealGateway) -> None:
    """An experiment is made, changed, found, and deleted, as by MLflow's own client; and the server is asked how it is."""
    api = "/api/2.0/mlflow/experiments"
    (made,) = perform_all(server.url, f"path - {api}/create", body(name="raw é"), "send")
    experiment = response(made)["experiment_id"]
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
def test_what_fails_has_the_servers_words(server: RealGateway, build: Build) -> None:
    rows = [
        ("/gateway/openai/v1/responses", {"model": "nope", "input": "hi"}, "NOT_FOUND", "GatewayEndpoint not found"),
        ("/gateway/openai/v1/responses", {"model": "anthropic", "input": "hi"}, None, "openai"),
        ("/gateway/no/such/path", {}, "NOT_FOUND", "check the method and the path"),
        ("/gateway/gemini/v1beta/models/nope:generateContent", {"contents": []}, "NOT_FOUND", "GatewayEndpoint not found"),
        ("/gateway/proxy/openai/v1/nothing", {"a": 1}, "NOT_FOUND", "no such path"),
    ]
    commands = [command for path, fields, _, _ in rows for command in ("again", f"path - {path}", body(**fields), "send")]
    for (path, _, status, words), outcome in zip(rows, perform_all(server.url, *commands, build=build)):
        assert outcome.status not in ("OK", "BAD_RESPONSE"), outcome
        assert status in (None, outcome.status), (path, outcome)
        assert words.lower() in outcome.message.lower(), outcome
        assert outcome.message.startswith(f"POST {server.url}{path}: HTTP status "), outcome


# Streams


def data(outcome: Outcome) -> list[tuple]:
    """The names of the events, and their data."""
    assert outcome.status in ("STREAM_END", "OK") and {event.kind for event in outcome.events} == {OTHER}, outcome
    return [(event.raw_name, json.loads(event.raw_data)) for event in outcome.events]


@BUILDS
@pytest.mark.parametrize("form", ["stream", "callback"])
def test_responses_in_a_stream(server: RealGateway, form: str, build: Build) -> None:
    commands = ("show-raw", "path - /gateway/openai/v1/responses", body(model="openai", input="hi", stream=True))
    events = data(perform(server.url, *commands, form, build=build))
    assert [name for name, _ in events] == [
        "response.created", "response.output_text.delta", "response.output_text.delta", "response.completed",
    ]  # fmt: skip
    assert "".join(event["delta"] for _, event in events[1:3]) == "echo: hi"
    assert arrived(server) == {"path": "/v1/responses", "body": {"model": MODEL, "input": "hi", "stream": True}}


@BUILDS
def test_anthropic_messages_in_a_stream(server: RealGateway, build: Build) -> None:
    messages = [{"role": "user", "content": "hi"}]
    fields = body(model="anthropic", max_tokens=5, messages=messages, stream=True)
    outcome = perform(server.url, "show-raw", "path - /gateway/anthropic/v1/messages", fields, "stream", build=build)
    assert [name for name, _ in data(outcome)] == ["message_start", *["content_block_delta"] * 2, "message_stop"]
    assert arrived(server)["body"]["stream"] is True


@BUILDS
def test_gemini_in_a_stream(server: RealGateway, build: Build) -> None:
    fields = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    path = "path - /gateway/gemini/v1beta/models/gemini:streamGenerateContent?alt=sse"
    ((name, event),) = data(perform(server.url, "show-raw", path, body(**fields), "stream", build=build))
    assert (name, event["candidates"][0]["content"]["parts"]) == (None, [{"text": "echo: hi"}])
    assert arrived(server)["body"] == fields, "no stream flag is added"


def test_the_proxy_route_in_a_stream(server: RealGateway) -> None:
    fields = body(messages=[{"role": "user", "content": "hi"}], stream=True)
    outcome = perform(server.url, "show-raw", "path - /gateway/proxy/openai/v1/chat/completions", fields, "stream")
    assert "".join(event["choices"][0]["delta"].get("content") or "" for _, event in data(outcome)) == "echo: hi"
    assert len(server.upstream.requests()) == 1
