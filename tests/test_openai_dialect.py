"""The openai dialect: any server with OpenAI's HTTP API; the route is the model."""

import json
from collections.abc import Iterator

import pytest
from gateways import language_model
from gateways.processes import Server
from support.builds import CHECKED, SHARED, Build
from support.calls import call
from support.databricks_workspace import header
from support.event_streams import chunk, events, send_stream
from support.operations import perform, perform_all
from support.real_gateways import RealGateway
from support.scripted_gateway import HOST, NOT_FOUND, Handler, Request, ScriptedGateway
from support.timing import three_attempts

CHECKED_BUILDS = pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
OPENAI = "handle-option dialect=openai"
MODELS = {"object": "list", "data": [{"id": "org/m", "object": "model"}, {"id": "n", "object": "model"}]}
MISSING_MODELS = {
    "OpenAI": {"error": {"message": "The model `m` does not exist", "type": "x", "code": "model_not_found"}},
    "vLLM": {"object": "error", "message": "The model `m` does not exist.", "type": "NotFoundError", "code": 404},
    "Ollama": {"error": {"message": 'model "m" not found, try pulling it first', "type": "api_error", "code": None}},
}


def openai(handler: Handler, request: Request) -> None:
    """Echoes prompts below /v1."""
    body = request.json() if request.body else {}
    if request.path == "/v1/models":
        handler.respond(200, MODELS)
    elif request.path == "/v1/chat/completions" and body.get("stream"):
        send_stream(handler, events(chunk("chat: "), chunk("x", finish_reason="stop"), "[DONE]"))
    elif request.path == "/v1/chat/completions":
        message = {"role": "assistant", "content": f"chat: {body['messages'][-1]['content']}"}
        handler.respond(200, {"model": body["model"], "choices": [{"message": message, "finish_reason": "stop"}]})
    elif request.path == "/v1/completions":
        handler.respond(200, {"model": body["model"], "choices": [{"text": f"text: {body['prompt']}"}]})
    elif request.path == "/v1/embeddings":
        handler.respond(200, {"model": body["model"], "data": [{"embedding": [1.0]} for _ in body["input"]]})
    else:
        handler.respond(404, NOT_FOUND)


@CHECKED_BUILDS
@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_path_that_ends_in_v1_names_the_dialect(path: str, build: Build) -> None:
    """No discovery requests are sent."""
    with ScriptedGateway(openai) as server:
        whole, streamed, embedded, body = perform_all(
            server.url + path, "prompt hi", "param n=1", "send", "stream", "again", "input a", "input b", "embed",
            "again", 'body {"prompt":"p","echo":true}', "send", route="org/m", build=build,
        )  # fmt: skip
        assert whole.response.texts == ["chat: hi"] and whole.response.model == "org/m"
        assert (streamed.status, streamed.text()) == ("STREAM_END", "chat: x")
        assert embedded.embeddings.count == 2 and body.response.texts == ["text: p"]
        bodies = {path: json.loads(request.body) for path, request in zip(server.paths(), server.requests)}
        assert bodies == {
            "POST /v1/chat/completions": {
                "model": "org/m", "messages": [{"role": "user", "content": "hi"}], "n": 1, "stream": True,
            },
            "POST /v1/embeddings": {"model": "org/m", "input": ["a", "b"]},
            "POST /v1/completions": {"model": "org/m", "prompt": "p", "echo": True},
        }  # fmt: skip
        assert len(server.requests) == 4


def test_option_names_the_dialect_below_any_path() -> None:
    def script(handler: Handler, request: Request) -> None:
        assert request.path.startswith("/any/where/")
        openai(handler, request._replace(path=request.path.replace("/any/where", "/v1")))

    with ScriptedGateway(script) as server:
        outcome = perform(f"{server.url}/any/where", OPENAI, "prompt hi", "send", route="m")
        assert outcome.response.texts == ["chat: hi"], outcome
        assert server.paths() == ["POST /any/where/chat/completions"]


def test_dialect_auto_discovers_a_server_below_v1() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.path == "/v1/api/2.0/endpoints/r":
            handler.respond(200, {"name": "r", "endpoint_type": "llm/v1/chat"})
        else:
            handler.respond(200, {"choices": [{"message": {"content": "x"}}]})

    with ScriptedGateway(script) as gateway:
        outcome = perform(f"{gateway.url}/v1", "handle-option dialect=auto", "prompt hi", "send")
        assert outcome.status == "OK", outcome
        assert gateway.paths() == ["GET /v1/api/2.0/endpoints/r", "POST /v1/endpoints/r/invocations"]


def test_task_option_selects_chat_or_completions_for_a_prompt() -> None:
    with ScriptedGateway(openai) as server:
        outcomes = perform_all(
            f"{server.url}/v1", "prompt hi", "option task=completions", "send", "option task=chat", "send",
            "option task=auto", "send", "handle-option task=completions", "call hi", route="m",
        )  # fmt: skip
        assert [outcome.response.texts[0] for outcome in outcomes[:3]] == ["text: hi", "chat: hi", "chat: hi"]
        assert outcomes[3].result == "text: hi"
        messages = perform(f"{server.url}/v1", "handle-option task=completions", "message user=hi", "send", route="m")
        assert messages.response.texts == ["chat: hi"], "the option applies to prompts only"


def test_task_option_applies_only_if_the_server_reports_no_task() -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.method == "GET":
            handler.respond(200, {"name": "r", "endpoint_type": "llm/v1/chat"})
        else:
            handler.respond(200, {"choices": [{"message": {"content": "x"}}]})

    with ScriptedGateway(script) as gateway:
        assert perform(gateway.url, "option task=completions", "prompt hi", "send").status == "OK"
        assert gateway.requests[-1].json() == {"messages": [{"role": "user", "content": "hi"}]}
        gateway.requests.clear()
        commands = ("handle-option dialect=deployments", "option task=chat", "prompt hi", "send")
        assert perform(gateway.url, *commands).status == "OK"
        assert gateway.paths() == ["POST /endpoints/r/invocations"], "nothing is looked up"


def test_models_are_listed_and_looked_up() -> None:
    with ScriptedGateway(openai) as server:
        listed, found, absent, health, limits = perform_all(
            f"{server.url}/v1", "list", "get-route", "get-route o", "health", "get-limits", route="org/m"
        )
        assert [route.name for route in listed.routes] == ["org/m", "n"]
        (route,) = found.routes
        assert route.url == f"{server.url}/v1/chat/completions"
        assert (route.type, route.provider, route.model) == (None, None, None)
        assert absent.status == "NOT_FOUND" and "org/m" in absent.message and health.status == "OK"
        assert limits.status == "UNSUPPORTED"
        assert {path for path in server.paths()} == {"GET /v1/models"}
        without = perform(f"{server.url}/v1", "health", route="")
        assert without.status == "OK"


def test_missing_list_of_models_is_unsupported() -> None:
    """MLflow's YAML gateway has none below /v1."""
    with ScriptedGateway(lambda handler, request: handler.respond(404, NOT_FOUND)) as server:
        for outcome in perform_all(f"{server.url}/v1", "list", "get-route", "health", route="m"):
            assert (outcome.status, outcome.error_http_status) == ("UNSUPPORTED", 404), outcome
            assert "no list of models" in outcome.message and "/v1/models" in outcome.message


@pytest.mark.parametrize("server", MISSING_MODELS)
def test_missing_model_error_names_existing_models(server: str) -> None:
    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST":
            handler.respond(404, MISSING_MODELS[server])
        else:
            handler.respond(200, MODELS)

    with ScriptedGateway(script) as gateway:
        outcome = perform(f"{gateway.url}/v1", "prompt hi", "send", route="m")
        assert outcome.status == "NOT_FOUND" and "it has: n, org/m" in outcome.message, outcome
        assert gateway.paths() == ["POST /v1/chat/completions", "GET /v1/models"], "the prompt is posted once"


def test_error_in_the_shape_of_openai_has_its_status() -> None:
    for status, kind, code, expected in (
        (400, "invalid_request_error", None, "BAD_REQUEST"),
        (401, "invalid_request_error", "invalid_api_key", "UNAUTHORIZED"),
        (429, "requests", "rate_limit_exceeded", "RATE_LIMITED"),
        (500, "server_error", None, "SERVER_ERROR"),
    ):
        error = {"error": {"message": "m m", "type": kind, "param": None, "code": code}}
        with ScriptedGateway(lambda handler, request: handler.respond(status, error)) as server:
            outcome = perform(f"{server.url}/v1", "option max_retries=0", "prompt hi", "send", route="m")
            assert (outcome.status, outcome.code) == (expected, code or kind), outcome
            assert "m m" in outcome.message and server.paths() == ["POST /v1/chat/completions"]


def test_prompt_is_posted_once_with_a_wrong_base_path() -> None:
    with ScriptedGateway(lambda handler, request: handler.respond(404, NOT_FOUND)) as server:
        outcome = perform(f"{server.url}/api/v1", "prompt hi", "send", route="m")
        assert outcome.status == "NOT_FOUND" and "check that the gateway URI" in outcome.message, outcome
        assert server.paths()[0] == "POST /api/v1/chat/completions"
        assert [path for path in server.paths() if path.startswith("POST")] == server.paths()[:1]


# Keys


def sent_key(server: ScriptedGateway, uri: str, *commands: str, **variables: str) -> str:
    """Returns the Authorization header of a prompt."""
    server.requests.clear()
    outcome = perform(uri, *commands, "prompt hi", "send", route="m", env=variables)
    assert outcome.status == "OK", outcome
    return header(server.requests[-1], "Authorization")


def test_api_key_is_sent_to_the_server_of_openai_base_url() -> None:
    with ScriptedGateway(openai) as server:
        base = f"{server.url}/v1"
        both = {"OPENAI_BASE_URL": base, "OPENAI_API_KEY": "sk-1"}
        assert sent_key(server, "openai", **both) == "Bearer sk-1"
        assert sent_key(server, "openai", **both, MLFLOW_TRACKING_TOKEN="t") == "Bearer sk-1"
        assert sent_key(server, base, **both, MLFLOW_TRACKING_TOKEN="t") == "Bearer sk-1"
        assert sent_key(server, "", **both, MLFLOW_DEPLOYMENTS_TARGET="openai") == "Bearer sk-1"
        assert sent_key(server, "openai", "handle-option bearer_token=own", **both) == "Bearer own"
        assert sent_key(server, "openai", "handle-option bearer_token=", **both) == ""
        assert sent_key(server, "openai", OPENAI_BASE_URL=base, MLFLOW_TRACKING_TOKEN="t") == ""


def test_api_key_is_not_sent_to_another_server() -> None:
    with ScriptedGateway(openai) as server:
        base = f"{server.url}/v1"
        for other in ({}, {"OPENAI_BASE_URL": f"http://{HOST}:1/v1"}, {"OPENAI_BASE_URL": f"https://{HOST}:{server.port}"}):
            assert sent_key(server, base, **other, OPENAI_API_KEY="sk-1") == ""
            assert sent_key(server, base, **other, OPENAI_API_KEY="sk-1", MLFLOW_TRACKING_TOKEN="t") == "Bearer t"
        own = {"OPENAI_BASE_URL": base, "OPENAI_API_KEY": "sk-1"}
        assert sent_key(server, base, OPENAI_API_KEY="sk-1") == ""
        assert call("-", "hi", environment=own).status == "NO_GATEWAY_URI", "the variables do not name the dialect"


# Real servers


@pytest.fixture(scope="module")
def smollm2() -> Iterator[Server]:
    """A real model behind llama.cpp, without a gateway."""
    with language_model.start() as model:
        yield model


@CHECKED_BUILDS
@three_attempts
@pytest.mark.parametrize("uri", ["", "/v1"])
def test_real_model_is_called_without_a_gateway(smollm2: Server, uri: str, build: Build) -> None:
    """llama.cpp has the same paths without /v1."""
    settings = (OPENAI, "param temperature=0", "param max_tokens=12", "message user=What is the capital of France?")
    whole, fetched, called = perform_all(
        smollm2.url + uri, *settings, "send", "stream", "callback", route="smollm2", build=build
    )
    assert (whole.status, fetched.status, called.status) == ("OK", "STREAM_END", "OK"), (whole, fetched, called)
    assert len(whole.response.texts[0]) > 8 and whole.response.model == "smollm2"
    assert fetched.text() == called.text() == whole.response.texts[0]
    assert len(fetched.deltas) > 3 and fetched.deltas[0][2] < fetched.deltas[-1][2]


def test_real_model_lists_itself_and_completes(smollm2: Server) -> None:
    listed, health, completed = perform_all(
        f"{smollm2.url}/v1", "list", "health", "option task=completions", "param temperature=0", "param max_tokens=4",
        "prompt The capital of France is", "send", route="smollm2",
    )  # fmt: skip
    assert [route.name for route in listed.routes] == ["smollm2"] and health.status == "OK"
    assert "Paris" in completed.response.texts[0]


def test_llama_cpp_gets_no_prompt_without_the_dialect_option(smollm2: Server) -> None:
    outcome = perform(smollm2.url, "log 3", "prompt hi", "send", route="smollm2")
    assert outcome.status == "NOT_FOUND" and "ends in /v1" in outcome.message, outcome
    assert "no prompt was sent" in outcome.message and outcome.error_attempts == 0
    assert all(line.text.startswith("GET ") for line in outcome.log)


@pytest.mark.parametrize("base", ["/gateway/mlflow/v1", "/gateway/openai/v1"])
def test_tracking_server_works_below_v1(tracking_server: RealGateway, base: str) -> None:
    tracking_server.upstream.forget_requests()
    uri = tracking_server.url + base
    whole, streamed = perform_all(uri, "prompt one two", "send", "stream", route="chat")
    assert whole.response.texts == ["echo: one two"] and streamed.text() == "echo: one two", (whole, streamed)
    assert len(tracking_server.upstream.requests()) == 2, "each is posted once"


def test_embeddings_of_the_tracking_server_work_below_v1(tracking_server: RealGateway) -> None:
    outcome = perform(f"{tracking_server.url}/gateway/openai/v1", "input a", "embed", route="embeddings")
    assert outcome.status == "OK" and outcome.embeddings.count == 1, outcome


@pytest.mark.parametrize("route", ["chat", "completions", "embeddings"])
def test_yaml_gateway_works_below_v1(real_gateways: dict[str, RealGateway], route: str) -> None:
    gateway = real_gateways["3.17.2"]
    gateway.upstream.forget_requests()
    if route == "embeddings":
        outcome = perform(f"{gateway.url}/v1", "input a", "embed", route=route)
        assert outcome.embeddings.count == 1, outcome
    else:
        for outcome in perform_all(f"{gateway.url}/v1", "prompt hi", "send", "send", "stream", route=route)[:2]:
            assert outcome.response.texts == ["echo: hi"], outcome
    paths = [request["path"] for request in gateway.upstream.requests()]
    assert set(paths) == {f"/v1/{'chat/completions' if route == 'chat' else route}"}
    assert len(paths) == (1 if route == "embeddings" else 3), "each is posted once"
