"""Databricks: calls to endpoints and models with a user's token, route functions, and errors of the workspace."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from gateways.install import install
from support.builds import CHECKED, SHARED, Build, clean_environment
from support.databricks_client import SEND_PROMPT, contains_no_secret, send_as_service, send_as_user, texts
from support.databricks_workspace import (
    ENDPOINTS,
    INVOCATIONS,
    PAT,
    Workspace,
    entry,
    header,
)
from support.operations import perform, perform_all
from support.scripted_gateway import HOST, Handler, Request, ScriptedGateway, refused_port

INVOCATION = f"POST {INVOCATIONS}chat/invocations"

MLFLOW_CLIENT = """
import json, sys
from databricks.sdk import WorkspaceClient
from mlflow.deployments import get_deploy_client

client = get_deploy_client("databricks")
chat = {"messages": [{"role": "user", "content": "hi you"}]}
limits = {"rate_limits": [{"calls": 10, "key": "user", "renewal_period": "minute"}]}
reported = {
    "list": [endpoint["name"] for endpoint in client.list_endpoints()],
    "task": client.get_endpoint("chat")["task"],
    "chat": client.predict(endpoint="chat", inputs=chat)["choices"][0]["message"]["content"],
    "deltas": [
        chunk["choices"][0]["delta"]["content"] for chunk in client.predict_stream(endpoint="chat", inputs=chat)
    ],
    "vector": client.predict(endpoint="bge", inputs={"input": ["abc"]})["data"][0]["embedding"],
    "limits": client.update_endpoint_rate_limits(endpoint="chat", config=limits),
    "created": client.create_endpoint(config={"name": "new", "config": {}})["name"],
}
sdk = WorkspaceClient()
reported["limit"] = sdk.serving_endpoints.get("chat").ai_gateway.rate_limits[0].calls
sdk.serving_endpoints.delete("new")
reported["errors"] = []
for path in ("/api/2.0/serving-endpoints/new", "/api/2.0/none"):
    try:
        sdk.api_client.do("GET", path)
    except Exception as error:
        reported["errors"].append([type(error).__name__, str(error)])
print(json.dumps(reported))
"""


@pytest.mark.real
@pytest.mark.parametrize("principal", ["a user", "a service principal"])
def test_mlflow_client_and_databricks_sdk_work_with_the_scripted_workspace(
    workspace: Workspace, principal: str, tmp_path: Path
) -> None:
    environment = workspace.environment() if principal == "a user" else workspace.service_environment()
    python = install("mlflow-3.17.2") / "bin/python"
    no_telemetry = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    done = subprocess.run(
        [str(python), "-c", MLFLOW_CLIENT],
        env=clean_environment({"HOME": str(tmp_path), **environment, **no_telemetry}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "list": ["chat", "completions", "bge", "task-inside", "agent", "chat-agent", "responses-agent", "custom"],
        "task": "llm/v1/chat",
        "chat": "echo: hi you",
        "deltas": ["", "echo:", " hi", " you", ""],
        "vector": [3.0, 0.5],
        "limits": {"rate_limits": [{"calls": 10, "key": "user", "renewal_period": "minute"}]},
        "limit": 10,
        "created": "new",
        "errors": [
            ["ResourceDoesNotExist", "Endpoint with name 'new' does not exist."],
            ["NotFound", "No API found for 'GET /none'"],
        ],
    }


# A user's token


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_prompts_messages_and_embeddings_are_sent_with_the_token(workspace: Workspace, build: Build) -> None:
    assert texts([send_as_user(workspace, *SEND_PROMPT, build=build)]) == ["echo: hi"]
    chat = ("message system=be brief", "message user=hé", "param max_tokens=5")
    messages = send_as_user(workspace, *chat, "send", build=build)
    assert texts([messages]) == ["echo: hé"]
    assert (messages.response.usage, messages.response.model) == ([3, 5, 8], "llama-3.3-70b-121024")
    assert texts([send_as_user(workspace, *SEND_PROMPT, route="completions", build=build)]) == ["echo: hi"]
    found = send_as_user(workspace, "input abc", "input a", "embed", route="bge", build=build).embeddings
    assert (found.values, found.input_tokens) == ([[3.0, 0.5], [1.0, 0.5]], 2)
    for route in ("task-inside", "agent"):
        assert texts([send_as_user(workspace, "message user=hi", "send", route=route, build=build)]) == ["echo: hi"]
    bodies = [request.json() for request in workspace.requests_to(INVOCATIONS)]
    assert bodies[0] == {"messages": [{"role": "user", "content": "hi"}]}
    assert bodies[1]["max_tokens"] == 5 and bodies[2] == {"prompt": "hi"} and bodies[3] == {"input": ["abc", "a"]}
    assert set(workspace.credentials("/")) == {f"Bearer {PAT}"}
    assert workspace.requests_to("/oidc") == []


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_stream_ends_at_done_and_counts_usage_once(workspace: Workspace, build: Build) -> None:
    outcome = send_as_user(workspace, "message user=hi you", "stream", build=build)
    assert (outcome.status, [text for _, text, _ in outcome.deltas]) == ("STREAM_END", ["echo:", " hi", " you"])
    (candidate,) = outcome.response.candidates
    assert (candidate.text, candidate.finish_reason) == ("echo: hi you", "stop")
    assert outcome.response.usage == [3, 5, 8], "it is in every chunk, and counts once"
    assert workspace.requests_to(INVOCATIONS)[0].json()["stream"] is True


def test_chat_agent_returns_its_last_message(workspace: Workspace) -> None:
    commands = ("message user=hi", "send", "stream", "callback")
    env = workspace.environment()
    whole, fetched, called = perform_all("databricks", *commands, route="chat-agent", env=env)
    (candidate,) = whole.response.candidates
    assert (whole.status, candidate.text, candidate.role, candidate.finish_reason) == ("OK", "echo: hi", "assistant", "stop")
    assert whole.response.usage == [3, 5, 8]
    for outcome in (fetched, called):
        assert outcome.status in ("STREAM_END", "OK"), outcome
        assert [text for _, text, _ in outcome.deltas] == ["echo:", " hi"], "a tool's result is not text of the model"
        assert outcome.response.texts == ["echo: hi"]
        assert outcome.response.candidates[0].tool_calls == [["c", "f", "{}"]]


@pytest.mark.parametrize("command", ["prompt ", "message user="])
def test_responses_agent_takes_prompts_and_messages(workspace: Workspace, command: str) -> None:
    """Its task is looked up before a prompt is sent, or after it refused messages."""
    env = workspace.environment()
    commands = ("send", "stream", "callback", "again", f"{command}whole: it", "stream")
    outcomes = perform_all("databricks", f"{command}hi", *commands, route="responses-agent", env=env)
    whole, fetched, called, in_items = outcomes
    assert whole.response.texts == ["echo: hi"] and fetched.status == "STREAM_END", outcomes
    for outcome in (fetched, called):
        assert [text for _, text, _ in outcome.deltas] == ["echo:", " hi"], "the item at the end repeats them"
    assert [text for _, text, _ in in_items.deltas] == ["echo: whole: it"]
    sent = [f"{request.method} {request.path}" for request in workspace.requests]
    lookup, invocation = f"GET {ENDPOINTS}/responses-agent", f"POST {INVOCATIONS}responses-agent/invocations"
    first = [lookup, invocation] if command == "prompt " else [invocation, lookup, invocation]
    assert sent == [*first, invocation, invocation, invocation], "the task is remembered"
    assert workspace.requests[-1].json() == {"input": [{"role": "user", "content": "whole: it"}], "stream": True}


def test_refused_chat_looks_up_the_endpoint_only_once(workspace: Workspace) -> None:
    workspace.invoke = lambda handler, request, name: handler.respond(
        400, {"error_code": "BAD_REQUEST", "message": "no"}
    )
    outcomes = perform_all("databricks", "message user=hi", "send", "send", route="chat", env=workspace.environment())
    assert [outcome.status for outcome in outcomes] == ["BAD_REQUEST"] * 2
    assert [request.method for request in workspace.requests] == ["POST", "GET", "POST"]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_unity_catalog_model_is_called_through_the_ai_gateway_path(workspace: Workspace, build: Build) -> None:
    commands = ("prompt hi", "send", "again", "message user=hi you", "stream", "again", "input abc", "embed", "health")
    env = workspace.environment()
    outcomes = perform_all("databricks", *commands, route="main.llms.claude", env=env, build=build)
    whole, streamed, embedded, health = outcomes
    assert whole.response.texts == ["echo: hi"] and streamed.text() == "echo: hi you", outcomes
    assert embedded.embeddings.values == [[3.0, 0.5]] and health.status == "OK"
    assert [f"{request.method} {request.path}" for request in workspace.requests] == [
        "POST /ai-gateway/mlflow/v1/chat/completions",
        "POST /ai-gateway/mlflow/v1/chat/completions",
        "POST /ai-gateway/mlflow/v1/embeddings",
        f"GET {ENDPOINTS}",
    ], "nothing is looked up"
    assert workspace.requests[0].json() == {"model": "main.llms.claude", "messages": [{"role": "user", "content": "hi"}]}
    assert set(workspace.credentials("/ai-gateway/")) == {f"Bearer {PAT}"}


def test_missing_unity_catalog_model_is_not_found(workspace: Workspace) -> None:
    outcome = send_as_user(workspace, *SEND_PROMPT, route="other.llms.claude")
    assert outcome.status == "NOT_FOUND" and "does not exist" in outcome.message, outcome


def test_one_handle_calls_models_and_endpoints(workspace: Workspace) -> None:
    commands = ("request-route main.llms.claude", "send", "request-route chat", "send", "request-route a.b", "send")
    model, endpoint, missing = perform_all(
        "databricks", "message user=hi", *commands, route="", env=workspace.environment()
    )
    assert model.response.texts == endpoint.response.texts == ["echo: hi"]
    assert missing.status == "NOT_FOUND", "two parts are an endpoint's name"


def test_body_with_input_is_sent_to_an_agent_unchanged(workspace: Workspace) -> None:
    """The library guesses the task of such a body; the agent itself rejects what it does not take."""
    body = json.dumps({"input": [{"role": "user", "content": "hi"}]})
    outcome = send_as_user(workspace, f"body {body}", "send", route="responses-agent")
    assert (outcome.status, outcome.response.texts) == ("OK", ["echo: hi"]), outcome
    assert json.loads(outcome.response.body)["output"][0]["name"] == "f"
    assert workspace.requests_to(INVOCATIONS)[0].json() == json.loads(body)
    outcome = send_as_user(workspace, f"body {body}", "send", route="bge")
    assert outcome.status == "BAD_RESPONSE", "with a known dialect nothing is looked up, and embeddings are not text"


def test_endpoint_description_may_lack_its_state(workspace: Workspace) -> None:
    del workspace.endpoints["chat"]["state"]
    outcome = send_as_user(workspace, "get-route")
    assert outcome.status == "OK" and outcome.routes[0].type == "llm/v1/chat", outcome
    assert texts([send_as_user(workspace, *SEND_PROMPT)]) == ["echo: hi"]


def test_only_paths_of_databricks_are_requested(workspace: Workspace) -> None:
    """A workspace responds 404 to the discovery paths of MLflow servers, which must not be requested."""
    send_as_user(workspace, *SEND_PROMPT)
    assert workspace.paths() == [f"GET {ENDPOINTS}/chat", INVOCATION]


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_token_is_reported_without_renewal(workspace: Workspace, status: int) -> None:
    workspace.stale_status = status
    environment = {**workspace.environment(), "DATABRICKS_TOKEN": "dapi-wrong-token"}
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env=environment)
    assert outcome.status == ("UNAUTHORIZED" if status == 401 else "FORBIDDEN"), outcome
    assert outcome.error_http_status == status and outcome.error_attempts == 1
    phrase = "Token is expired" if status == 401 else "Invalid access token"
    assert phrase in outcome.message and "dapi-wrong-token" not in outcome.message, outcome.message
    assert workspace.requests_to("/oidc") == [], "there is nothing to renew"


# Routes


def test_list_returns_all_endpoints(workspace: Workspace) -> None:
    outcome = send_as_user(workspace, "list")
    assert outcome.status == "OK", outcome
    base = f"{workspace.url}{INVOCATIONS}"
    found = [(route.name, route.type, route.provider, route.model, route.url) for route in outcome.routes]
    assert found[0] == ("chat", "llm/v1/chat", "openai", "gpt-4o-mini", f"{base}chat/invocations")
    assert found[1] == ("completions", "llm/v1/completions", "cohere", "command", f"{base}completions/invocations")
    assert found[2][:2] == ("bge", "llm/v1/embeddings") and found[2][3] == "bge_large_en"
    assert found[3] == ("task-inside", "llm/v1/chat", "anthropic", "claude", f"{base}task-inside/invocations")
    assert found[4][:2] == ("agent", "agent/v1/chat") and found[7][:2] == ("custom", None)
    assert [json.loads(route.json) for route in outcome.routes] == list(workspace.endpoints.values())
    assert workspace.paths() == [f"GET {ENDPOINTS}"]


def test_empty_list_is_ok(workspace: Workspace) -> None:
    workspace.endpoints.clear()
    outcome = send_as_user(workspace, "list")
    assert (outcome.status, outcome.routes) == ("OK", [])


def test_get_route_returns_one_endpoint(workspace: Workspace) -> None:
    (route,) = send_as_user(workspace, "get-route").routes
    assert (route.name, route.type) == ("chat", "llm/v1/chat")
    (route,) = send_as_user(workspace, "get-route bge").routes
    assert json.loads(route.json) == workspace.endpoints["bge"]
    workspace.endpoints["é /?"] = entry("é /?", None, {})
    (route,) = send_as_user(workspace, "get-route é /?").routes
    assert route.name == "é /?" and route.url.isascii() and " " not in route.url


def test_missing_endpoint_error_names_existing_endpoints(workspace: Workspace) -> None:
    rows = [
        ("chatt", ("send",), 'did you mean "chat"?'),
        ("nothing-like-it", ("send",), "it has: "),
        ("chatt", ("get-route",), 'did you mean "chat"?'),
        ("chatt", ("stream",), 'did you mean "chat"?'),
    ]
    for route, commands, phrase in rows:
        outcome = send_as_user(workspace, "prompt hi", *commands, route=route)
        assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome
        assert outcome.code == "RESOURCE_DOES_NOT_EXIST"
        assert f'"{route}"' in outcome.message and phrase.lower() in outcome.message.lower(), outcome.message
        for name in workspace.endpoints:
            assert name in outcome.message


def test_rate_limits_are_set_and_read(workspace: Workspace) -> None:
    limits = [{"calls": 10, "key": "user", "renewal_period": "minute"}]
    done = send_as_user(workspace, f"set-limits chat={json.dumps(limits)}")
    assert (done.status, json.loads(done.result)) == ("OK", {"rate_limits": limits})
    (request,) = workspace.requests_to(ENDPOINTS, "PUT")
    assert (request.path, request.json()) == (f"{ENDPOINTS}/chat/rate-limits", {"rate_limits": limits})
    assert header(request, "Content-Type") == "application/json"
    found = send_as_user(workspace, "get-limits")
    assert found.status == "OK" and limits[0] in find_lists(json.loads(found.result)), found
    missing = send_as_user(workspace, "set-limits nope=[]")
    assert (missing.status, missing.code) == ("NOT_FOUND", "RESOURCE_DOES_NOT_EXIST")


def find_lists(value: object) -> list:
    """Returns the elements of all lists in a JSON value."""
    if isinstance(value, list):
        return value + [found for each in value for found in find_lists(each)]
    return [found for each in value.values() for found in find_lists(each)] if isinstance(value, dict) else []


def test_endpoint_is_created_and_deleted(workspace: Workspace) -> None:
    description = {"name": "new", "config": {"served_entities": [{"entity_name": "a.b.c"}]}, "tags": []}
    created = send_as_user(workspace, f"create-route {json.dumps(description)}")
    assert created.status == "OK" and json.loads(created.result)["name"] == "new"
    (request,) = workspace.requests_to(ENDPOINTS, "POST")
    assert (request.path, request.json()) == (ENDPOINTS, description)
    twice = send_as_user(workspace, f"create-route {json.dumps(description)}")
    assert (twice.status, twice.code) == ("BAD_REQUEST", "RESOURCE_ALREADY_EXISTS"), twice
    assert send_as_user(workspace, "delete-route new").status == "OK", "the response has no body"
    assert "new" not in workspace.endpoints
    assert workspace.requests_to(ENDPOINTS, "DELETE")[0].path == f"{ENDPOINTS}/new"
    gone = send_as_user(workspace, "delete-route new")
    assert (gone.status, gone.code) == ("NOT_FOUND", "RESOURCE_DOES_NOT_EXIST")


def test_health_reports_reachability_and_credentials(workspace: Workspace) -> None:
    assert send_as_user(workspace, "health").status == "OK"
    environment = {**workspace.environment(), "DATABRICKS_TOKEN": "dapi-wrong-token"}
    assert perform("databricks", "health", route="chat", env=environment).status == "UNAUTHORIZED"
    with refused_port() as port:
        environment = {**workspace.environment(), "DATABRICKS_HOST": f"http://{HOST}:{port}"}
        assert perform("databricks", "health", route="chat", env=environment).status == "CONNECT_FAILED"


def test_route_functions_renew_an_expired_token(workspace: Workspace) -> None:
    workspace.real_lifetime = 0.5
    outcomes = send_as_service(workspace, "list", "sleep 600", "list", "sleep 600", "get-route", "sleep 600", "health")
    assert [outcome.status for outcome in outcomes] == ["OK"] * 4, outcomes
    assert workspace.token_requests() == 4


def test_error_bodies_of_every_shape_are_understood(workspace: Workspace) -> None:
    """error_code may be a number, the message may be called error, and the body may be an HTML page."""
    page = "<html><head><title>Error 403 Invalid access token.</title></head></html>"
    limit = {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "Exceeded the rate limit"}
    rows = [
        (400, {"error_code": "BAD_REQUEST", "message": "Missing a field"}, "BAD_REQUEST", "Missing a field"),
        (403, {"error_code": 403, "message": "Not for you"}, "FORBIDDEN", "Not for you"),
        (400, {"error": "an old API's words"}, "BAD_REQUEST", "an old API's words"),
        (429, limit, "RATE_LIMITED", "Exceeded the rate"),
        (503, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "Try later"}, "SERVER_ERROR", "Try later"),
        (403, page, "FORBIDDEN", "Invalid access token"),
        (500, "INTERNAL_ERROR: something broke", "SERVER_ERROR", "something broke"),
    ]
    for status, body, expected, phrase in rows:
        workspace.invoke = lambda handler, request, name: handler.respond(status, body)
        outcome = send_as_user(workspace, *SEND_PROMPT)
        assert (outcome.status, outcome.error_http_status) == (expected, status), outcome
        assert phrase in outcome.message, outcome.message


@pytest.mark.parametrize("credentials", ["handle-header Authorization=Bearer ", "handle-option bearer_token="])
def test_dialect_of_a_workspace_url_is_discovered(workspace: Workspace, credentials: str) -> None:
    """The program passes only the URL and a token."""
    outcomes = perform_all(workspace.url, credentials + PAT, "prompt hi", "send", "send", "list", route="chat")
    assert texts(outcomes[:2]) == ["echo: hi"] * 2 and len(outcomes[2].routes) == len(workspace.endpoints)
    assert workspace.paths()[-3:] == [INVOCATION, INVOCATION, f"GET {ENDPOINTS}"], "the task is remembered"


def test_identifying_params_name_the_workspace_and_no_secret(workspace: Workspace) -> None:
    (outcome,) = send_as_service(workspace, "identify")
    found = json.loads(outcome.result)
    assert found["route"] == "chat" and re.search(rf"databricks|{workspace.port}", found["gateway_uri"])
    assert contains_no_secret(outcome)


def test_redirect_to_a_login_page_is_http_error() -> None:
    """A host that is not a workspace responds so."""

    def login(handler: Handler, request: Request) -> None:
        handler.respond(303, "", {"Location": "/login.html"})

    with ScriptedGateway(login) as gateway:
        environment = {"DATABRICKS_HOST": gateway.url, "DATABRICKS_TOKEN": PAT}
        outcome = perform("databricks", "list", route="chat", env=environment)
    assert outcome.status == "HTTP_ERROR" and "/login.html" in outcome.message and PAT not in outcome.message, outcome
