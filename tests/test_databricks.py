"""Databricks: the workspace and its profiles, tokens of users and service principals, endpoints, and errors."""

import contextlib
import json
import re
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from gateways.install import install
from support.builds import CHECKED, SHARED, THREADED, VALGRIND, Build, clean_environment
from support.calls import call
from support.databricks_workspace import (
    CLIENT_ID,
    CLIENT_SECRET,
    ENDPOINTS,
    INVOCATIONS,
    PAT,
    TOKEN,
    TOKEN_FAULTS,
    WELL_KNOWN,
    WELL_KNOWN_FAULTS,
    Workspace,
    entry,
    header,
    profile,
)
from support.operations import Outcome, perform, perform_all
from support.scripted_gateway import HOST, Handler, Request, ScriptedGateway, refused_port
from support.timing import three_attempts

SEND_PROMPT = ("prompt hi", "send")
INVOCATION = f"POST {INVOCATIONS}chat/invocations"

MLFLOW_CLIENT = """
import json, sys
from databricks.sdk import WorkspaceClient
from mlflow.deployments import get_deploy_client

client = get_deploy_client("databricks")
chat = {"messages": [{"role": "user", "content": "hi you"}]}
limits = {"rate_limits": [{"calls": 10, "key": "user", "renewal_period": "minute"}]}
told = {
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
told["limit"] = sdk.serving_endpoints.get("chat").ai_gateway.rate_limits[0].calls
sdk.serving_endpoints.delete("new")
told["errors"] = []
for path in ("/api/2.0/serving-endpoints/new", "/api/2.0/none"):
    try:
        sdk.api_client.do("GET", path)
    except Exception as error:
        told["errors"].append([type(error).__name__, str(error)])
print(json.dumps(told))
"""


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for HOME."""
    return tmp_path


def send_as_user(workspace: Workspace, *commands: str, **options: object) -> Outcome:
    """Performs an operation as a user with a personal access token."""
    return perform("databricks", *commands, **{"route": "chat", "env": workspace.environment(), **options})


def send_as_service(workspace: Workspace, *commands: str, **options: object) -> list[Outcome]:
    """Performs operations as a service principal."""
    return perform_all("databricks", *commands, **{"route": "chat", "env": workspace.service_environment(), **options})


def texts(outcomes: list[Outcome]) -> list[str]:
    return [
        outcome.response.texts[0] if outcome.response else f"{outcome.status}: {outcome.message}"
        for outcome in outcomes
    ]


def contains_no_secret(outcome: Outcome) -> bool:
    said = str(outcome)
    return not any(secret in said for secret in (PAT, CLIENT_SECRET, "eyJraWQ"))


@pytest.mark.real
@pytest.mark.parametrize("principal", ["a user", "a service principal"])
def test_mlflow_client_and_databricks_sdk_work_with_the_scripted_workspace(
    workspace: Workspace, principal: str, tmp_path: Path
) -> None:
    environment = workspace.environment() if principal == "a user" else workspace.service_environment()
    python = install("mlflow-3.17.2") / "bin/python"
    silent = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    done = subprocess.run(
        [str(python), "-c", MLFLOW_CLIENT],
        env=clean_environment({"HOME": str(tmp_path), **environment, **silent}),
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


@pytest.mark.parametrize("question", ["prompt ", "message user="])
def test_responses_agent_takes_prompts_and_messages(workspace: Workspace, question: str) -> None:
    """Its task is looked up before a prompt is sent, or after it refused messages."""
    env = workspace.environment()
    commands = ("send", "stream", "callback", "again", f"{question}whole: it", "stream")
    outcomes = perform_all("databricks", f"{question}hi", *commands, route="responses-agent", env=env)
    whole, fetched, called, in_items = outcomes
    assert whole.response.texts == ["echo: hi"] and fetched.status == "STREAM_END", outcomes
    for outcome in (fetched, called):
        assert [text for _, text, _ in outcome.deltas] == ["echo:", " hi"], "the item at the end repeats them"
    assert [text for _, text, _ in in_items.deltas] == ["echo: whole: it"]
    sent = [f"{request.method} {request.path}" for request in workspace.requests]
    lookup, invocation = f"GET {ENDPOINTS}/responses-agent", f"POST {INVOCATIONS}responses-agent/invocations"
    first = [lookup, invocation] if question == "prompt " else [invocation, lookup, invocation]
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


# Where the workspace is


def test_databricks_host_may_have_a_slash_or_lack_a_scheme(workspace: Workspace, tmp_path: Path) -> None:
    with_slash = {**workspace.environment(), "DATABRICKS_HOST": f"{workspace.url}/"}
    assert texts([send_as_user(workspace, *SEND_PROMPT, env=with_slash)]) == ["echo: hi"]
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Workspace(tls_of(ca)) as secure:
        environment = {**secure.environment(), "DATABRICKS_HOST": f"{HOST}:{secure.port}"}
        trust = f"handle-option ca_file={tmp_path}/ca.pem"
        outcome = perform("databricks", trust, *SEND_PROMPT, route="chat", env=environment)
        assert texts([outcome]) == ["echo: hi"], "without a scheme it is https://"


def tls_of(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    return context


def test_profile_named_in_the_uri_ignores_the_environment(workspace: Workspace, home: Path) -> None:
    """Only the file counts: the environment names another workspace and another token."""
    other = {"DATABRICKS_HOST": "http://127.0.0.1:1", "DATABRICKS_TOKEN": "dapi-not-this-one"}
    default = profile("DEFAULT", host="http://127.0.0.1:1", token="nor-this-one")
    write(home, default + profile("work", host=workspace.url, token=PAT))
    outcome = perform("databricks://work", *SEND_PROMPT, route="chat", env={"HOME": str(home), **other})
    assert texts([outcome]) == ["echo: hi"]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"DATABRICKS_CONFIG_PROFILE": "work"},
        {"DATABRICKS_CONFIG_FILE": "elsewhere"},
        {"DATABRICKS_CONFIG_FILE": "~/in-the-home"},
        {"DATABRICKS_CONFIG_FILE": ""},
    ],
    ids=["none", "a profile", "a file", "a file of the home", "an empty one"],
)
def test_profile_or_file_named_by_the_environment_is_used(
    workspace: Workspace, home: Path, variables: dict[str, str]
) -> None:
    """DEFAULT of ~/.databrickscfg, or the profile, or the file, that a variable names."""
    right, wrong = {"host": workspace.url, "token": PAT}, {"host": "http://127.0.0.1:1", "token": "x"}
    name = variables.get("DATABRICKS_CONFIG_PROFILE", "DEFAULT")
    sections = "".join(profile(each, **(right if each == name else wrong)) for each in ("DEFAULT", "work", "play"))
    file = variables.get("DATABRICKS_CONFIG_FILE")
    if file:
        write(home, profile("DEFAULT", **wrong))
        (home / file.removeprefix("~/")).write_text(sections)
        variables = {"DATABRICKS_CONFIG_FILE": file if file.startswith("~/") else str(home / file)}
    else:
        write(home, sections)
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={"HOME": str(home), **variables})
    assert texts([outcome]) == ["echo: hi"]


def test_environment_takes_precedence_over_the_profile_file(workspace: Workspace, home: Path) -> None:
    """Key by key if it names a profile; otherwise any variable disables the file."""
    named = {"HOME": str(home), "DATABRICKS_CONFIG_PROFILE": "work"}
    write(home, profile("work", host=workspace.url, token="dapi-of-the-file"))
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**named, "DATABRICKS_TOKEN": PAT})
    assert texts([outcome]) == ["echo: hi"]
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**named, "DATABRICKS_TOKEN": ""})
    assert outcome.status == "UNAUTHORIZED", "an empty variable counts as unset"
    assert workspace.credentials()[-1] == "Bearer dapi-of-the-file"
    write(home, profile("work", token=PAT))
    outcome = perform("databricks", *SEND_PROMPT, route="chat", env={**named, "DATABRICKS_HOST": workspace.url})
    assert texts([outcome]) == ["echo: hi"], "a profile without a host applies to any host"
    write(home, profile("DEFAULT", host=workspace.url, token="dapi-of-the-file"))
    outcome = call("databricks", "hi", route="chat", environment={"HOME": str(home), "DATABRICKS_TOKEN": PAT})
    assert outcome.status == "NO_GATEWAY_URI" and "DATABRICKS_HOST" in outcome.text, outcome


def test_token_of_a_profile_is_not_sent_to_another_host(workspace: Workspace, home: Path) -> None:
    """The environment may name a workspace other than the one that the file's token belongs to."""
    sections = profile("DEFAULT", host="http://127.0.0.1:1", token=PAT)
    sections += profile("service", host="http://127.0.0.1:1", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    write(home, sections)
    for variables in ({}, {"DATABRICKS_CONFIG_PROFILE": "DEFAULT"}, {"DATABRICKS_CONFIG_PROFILE": "service"}):
        env = {"HOME": str(home), "DATABRICKS_HOST": workspace.url, **variables}
        outcome = perform("databricks", *SEND_PROMPT, route="chat", env=env)
        assert outcome.status == "UNAUTHORIZED" and "Credential was not sent" in outcome.message, outcome
    assert set(workspace.credentials("/")) == {""}


def test_service_principal_of_a_profile_gets_a_token(workspace: Workspace, home: Path) -> None:
    write(home, profile("service", host=workspace.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET))
    outcome = perform("databricks://service", *SEND_PROMPT, route="chat", env={"HOME": str(home)})
    assert texts([outcome]) == ["echo: hi"]
    assert workspace.token_requests() == 1


def test_profile_file_may_have_comments_spaces_bom_and_crlf(workspace: Workspace, home: Path) -> None:
    lines = [
        "; a comment", "# another one", "[DEFAULT]", "", "[other]", "host=http://127.0.0.1:1", "[ work ]", "[work]",
        f"  host   =   {workspace.url}/  ", "cluster_id = 0123", "# token = no", f"Token={PAT}", "", "[last]",
        "token = z",
    ]  # fmt: skip
    for end in ("\n", "\r\n"):
        write(home, "\ufeff" * (end == "\r\n") + end.join(lines))
        outcome = perform("databricks://work", *SEND_PROMPT, route="chat", env={"HOME": str(home)})
        assert texts([outcome]) == ["echo: hi"], repr(end)


def write(home: Path, content: str) -> None:
    (home / ".databrickscfg").write_bytes(content.encode())


@pytest.mark.parametrize(
    ("uri", "file", "environment", "phrase"),
    [
        ("databricks", None, {}, ["DATABRICKS_HOST", ".databrickscfg"]),
        ("databricks", None, {"DATABRICKS_TOKEN": "dapi-hunter2"}, ["DATABRICKS_HOST"]),
        ("databricks", None, {"DATABRICKS_CONFIG_PROFILE": "work"}, ["work", ".databrickscfg"]),
        ("databricks", None, {"DATABRICKS_CONFIG_FILE": "/none/file"}, ["/none/file"]),
        ("databricks", profile("DEFAULT", token="dapi-hunter2"), {}, ["host"]),
        ("databricks", profile("DEFAULT", host="ftp://x"), {}, ["host", "ftp"]),
        ("databricks", None, {"DATABRICKS_HOST": "ftp://x", "DATABRICKS_TOKEN": "dapi-hunter2"}, ["DATABRICKS_HOST"]),
        ("databricks://work", None, {}, ["work", ".databrickscfg"]),
        ("databricks://work", profile("play", host="http://x", token="dapi-hunter2"), {}, ["work"]),
        ("databricks://work", profile("DEFAULT", host="h") + profile("work", token="dapi-hunter2"), {}, ["host"]),
        ("databricks://scope:prefix", profile("scope", host="http://x", token="dapi-hunter2"), {}, ["scope"]),
        ("databricks://", profile("DEFAULT", host="http://x", token="dapi-hunter2"), {}, ["profile"]),
    ],
)  # fmt: skip
def test_error_names_what_is_missing_in_the_configuration(
    home: Path, uri: str, file: str, environment: dict[str, str], phrase: list[str]
) -> None:
    """A profile does not inherit from DEFAULT, as in Databricks' own tools."""
    if file is not None:
        write(home, file)
    outcome = call(uri, "hi", route="chat", environment={"HOME": str(home), **environment})
    assert outcome.status in ("INVALID_URI", "NO_GATEWAY_URI", "INVALID_OPTION_VALUE", "INVALID_ARGUMENT"), outcome
    assert outcome.attempts == 0
    for word in phrase:
        assert word in outcome.text, outcome.text
    assert "hunter2" not in outcome.text


def test_missing_credentials_are_unauthorized_until_set_as_option(workspace: Workspace, home: Path) -> None:
    """Without credentials the workspace refuses the request. Other profiles inherit none from DEFAULT."""
    write(home, profile("DEFAULT", token=PAT) + profile("work", host=workspace.url))
    for uri, env in (
        ("databricks", {"DATABRICKS_HOST": workspace.url}),
        ("databricks", {"DATABRICKS_HOST": workspace.url, "DATABRICKS_CLIENT_ID": CLIENT_ID}),
        ("databricks://work", {"HOME": str(home)}),
    ):
        outcomes = perform_all(uri, *SEND_PROMPT, f"handle-option bearer_token={PAT}", "send", route="chat", env=env)
        assert outcomes[0].status == "UNAUTHORIZED" and "Credential was not sent" in outcomes[0].message, outcomes[0]
        assert texts(outcomes[1:]) == ["echo: hi"]
    assert workspace.token_requests() == 0


# The tokens of a service principal


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_one_token_serves_all_requests(workspace: Workspace, build: Build) -> None:
    outcomes = send_as_service(workspace, "prompt hi", "send", "send", "send", build=build)
    assert texts(outcomes) == ["echo: hi"] * 3
    assert workspace.paths()[:2] == [f"GET {WELL_KNOWN}", f"POST {TOKEN}"]
    assert (len(workspace.requests_to(WELL_KNOWN)), workspace.token_requests()) == (1, 1)
    (request,) = workspace.requests_to(TOKEN)
    assert request.body == b"grant_type=client_credentials&scope=all-apis"
    assert header(workspace.requests_to(WELL_KNOWN)[0], "Authorization") == "", "this request needs no credentials"
    assert len(set(workspace.credentials())) == 1


ROUNDS_OF: dict[str, int] = {SHARED.name: 64, VALGRIND.name: 16}


@contextlib.contextmanager
def rounds(
    workspace: Workspace, threads: int, short_ms: int = 0, build: Build = SHARED
) -> Iterator[Callable[[], list[str]]]:
    """A program whose threads all call at once, each time the yielded function is called. It returns the counts."""
    arguments = ("databricks", "chat", str(threads), str(short_ms))
    environment = workspace.service_environment()
    with build.start("test_token_threads.c", *arguments, environment=environment, stdin=subprocess.PIPE) as program:

        def run_round() -> list[str]:
            program.stdin.write(b"\n")
            program.stdin.flush()
            return program.stdout.readline().decode().split()

        yield run_round
        program.stdin.close()
        assert (program.wait(60), program.stderr.read()) == (0, b"")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("build", (SHARED, *THREADED), ids=lambda build: build.name)
def test_64_threads_renew_a_revoked_token_once(workspace: Workspace, build: Build, status: int) -> None:
    threads = ROUNDS_OF.get(build.name, 64)
    workspace.stale_status = status
    workspace.token_delay = 0.3
    with rounds(workspace, threads, build=build) as run_round:
        for tokens in (1, 1, 2, 2, 3):
            if tokens > workspace.token_requests() > 0:
                workspace.revoke()
            assert run_round()[:2] == [str(threads), "0"], workspace.paths()[-5:]
            assert workspace.token_requests() == tokens, "one thread requests the token, and the others wait for it"
    assert len(workspace.requests_to(WELL_KNOWN)) <= workspace.token_requests()


@three_attempts
def test_64_threads_renew_an_expired_token_once() -> None:
    with Workspace() as workspace:
        workspace.lifetime = 2
        workspace.token_delay = 0.2
        with rounds(workspace, 64) as run_round:
            for tokens in (1, 2):
                assert run_round()[:2] == ["64", "0"]
                assert workspace.token_requests() == tokens
                time.sleep(2.2)
        assert workspace.refused == 0, "no request carried an expired token"


@three_attempts
def test_token_is_renewed_in_the_last_tenth_of_its_lifetime() -> None:
    """Not before the last tenth of its lifetime."""
    with Workspace() as workspace:
        workspace.lifetime, workspace.real_lifetime = 4, 60
        outcomes = send_as_service(workspace, "prompt hi", "send", "sleep 3000", "send", "sleep 800", "send")
        assert texts(outcomes) == ["echo: hi"] * 3
        first, second, third = workspace.credentials()
        assert first == second != third
        assert workspace.token_requests() == 2


def test_token_of_about_a_minute_is_not_renewed_at_once(workspace: Workspace) -> None:
    """A margin of a minute would renew it at once; a tenth of the lifetime is smaller, and counts."""
    workspace.lifetime = 61
    outcomes = send_as_service(workspace, "prompt hi", "send", "sleep 2000", "send")
    assert texts(outcomes) == ["echo: hi"] * 2 and workspace.token_requests() == 1


@pytest.mark.parametrize("lifetime", [None, "3600", 3600.5, 0, -5, 10**30, "soon", True, [1]], ids=repr)
def test_invalid_token_lifetime_is_not_an_error(workspace: Workspace, lifetime: object) -> None:
    """An invalid lifetime must not fail the call: a refused token is renewed anyway."""
    workspace.lifetime, workspace.real_lifetime = lifetime, 3600
    outcomes = send_as_service(workspace, "prompt hi", "send", "send")
    assert texts(outcomes) == ["echo: hi"] * 2
    assert workspace.token_requests() <= 4
    if lifetime in (None, "3600", 3600.5, 10**30) and lifetime is not True:
        assert workspace.token_requests() == 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("way", ["send", "stream", "callback"])
def test_refused_token_is_renewed_and_the_request_repeated(workspace: Workspace, way: str, status: int) -> None:
    workspace.stale_status = status
    revoked = []

    def revoke_once(request: Request) -> None:
        if not revoked:
            revoked.append(request)
            workspace.revoke()

    workspace.before_response = revoke_once
    first, second = send_as_service(workspace, "prompt hi", way, way)
    assert (first.response.texts, second.response.texts) == (["echo: hi"], ["echo: hi"])
    assert (first.response.attempts, second.response.attempts) == (1, 2)
    assert workspace.token_requests() == 2
    assert len(workspace.requests_to(INVOCATIONS)) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_token_is_renewed_only_once_if_the_new_one_is_refused(workspace: Workspace, status: int) -> None:
    """The workspace issues tokens that it then refuses."""
    workspace.stale_status, workspace.real_lifetime = status, 0
    (outcome,) = send_as_service(workspace, "handle-option timeout_ms=10000", "prompt hi", "send")
    assert outcome.status == ("UNAUTHORIZED" if status == 401 else "FORBIDDEN"), outcome
    assert contains_no_secret(outcome)
    # One for the look-up of the task, and one for the request itself.
    assert workspace.token_requests() <= 3
    assert len(workspace.requests_to(INVOCATIONS)) <= 2 and len(workspace.requests_to(f"{ENDPOINTS}/chat")) <= 2


def test_permission_denied_does_not_renew_the_token(workspace: Workspace) -> None:
    """A missing permission has the same HTTP status as a stale token."""
    denied = {"error_code": "PERMISSION_DENIED", "message": "User does not have permission 'View' on Endpoint chat"}
    workspace.invoke = lambda handler, request, name: handler.respond(403, denied)
    (outcome,) = send_as_service(workspace, "prompt hi", "send")
    assert (outcome.status, outcome.code) == ("FORBIDDEN", "PERMISSION_DENIED"), outcome
    assert "permission 'View'" in outcome.message
    assert (workspace.token_requests(), len(workspace.requests_to(INVOCATIONS))) == (1, 1)


TOKEN_STATUS = {
    "invalid client": ("UNAUTHORIZED", "Client authentication failed"),
    "throttled": ("UNAUTHORIZED", "Temporarily throttled"),
    "empty refusal": ("UNAUTHORIZED", "HTTP status 400"),
    "server error": ("SERVER_ERROR", "HTTP status 500"),
    "a web page": ("BAD_RESPONSE", "access_token"),
    "no token": ("BAD_RESPONSE", "access_token"),
    "another type": ("BAD_RESPONSE", "access_token"),
    "two lines": ("BAD_RESPONSE", "access_token"),
    "a redirect": ("HTTP_ERROR", "127.0.0.1:1"),
    "reset": ("CONNECTION_LOST", ""),
    "silent": ("TIMEOUT", "700 ms"),
}
WELL_KNOWN_STATUS = {
    "not there": ("NOT_FOUND", "oauth-authorization-server"),
    "a web page": ("BAD_RESPONSE", "token_endpoint"),
    "a redirect": ("HTTP_ERROR", "login.html"),
    "no endpoint": ("BAD_RESPONSE", "token_endpoint"),
    "server error": ("SERVER_ERROR", "try again later"),
    "reset": ("CONNECTION_LOST", ""),
    "silent": ("TIMEOUT", "700 ms"),
}


SHORT_DEADLINE_FIRST = ("handle-option timeout_ms=700", "prompt hi", "send", "option timeout_ms=9000", "send")


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
def test_failed_token_request_is_reported_and_repeated_by_the_next_call(workspace: Workspace, fault: str) -> None:
    """The request is not sent, and the next call requests a token again."""
    # A request that an idle connection loses at once is sent again on a new connection.
    workspace.token_faults = [fault] * (2 if fault == "reset" else 1)
    no_token, later = send_as_service(workspace, *SHORT_DEADLINE_FIRST)
    status, phrase = TOKEN_STATUS[fault]
    assert no_token.status == status and phrase in no_token.message, no_token
    assert TOKEN in no_token.message, "the message names the token request"
    assert contains_no_secret(no_token)
    assert texts([later]) == ["echo: hi"]
    sent_before = workspace.paths()[: workspace.paths().index(f"POST {TOKEN}", 2)]
    assert not [path for path in sent_before if "serving-endpoints" in path], "nothing is sent without a token"


@pytest.mark.parametrize("fault", WELL_KNOWN_FAULTS)
def test_failed_token_endpoint_lookup_is_reported_and_repeated_by_the_next_call(
    workspace: Workspace, fault: str
) -> None:
    workspace.well_known_faults = [fault]
    failed, later = send_as_service(workspace, *SHORT_DEADLINE_FIRST)
    status, phrase = WELL_KNOWN_STATUS[fault]
    assert failed.status == status and phrase in failed.message, failed
    assert WELL_KNOWN in failed.message and contains_no_secret(failed)
    assert texts([later]) == ["echo: hi"]


@pytest.mark.parametrize("where", ["another port", "another host", "https", "a path", "user info", "not a URL"])
def test_token_endpoint_on_another_host_gets_no_secret(workspace: Workspace, where: str) -> None:
    with Workspace() as other:
        workspace.token_endpoint = {
            "another port": other.url + TOKEN,
            "another host": f"http://localhost:{workspace.port}{TOKEN}",
            "https": f"https://{HOST}:{workspace.port}{TOKEN}",
            "a path": f"//{HOST}:{other.port}{TOKEN}",
            "user info": f"http://{HOST}:{workspace.port}@{HOST}:{other.port}{TOKEN}",
            "not a URL": "\x00\n",
        }[where]
        (outcome,) = send_as_service(workspace, *SEND_PROMPT)
        assert outcome.status not in ("OK", "PANIC", "INTERNAL"), outcome
        assert "token" in outcome.message and contains_no_secret(outcome), outcome
        assert (other.requests, other.connections) == ([], 0)
    assert [request.path for request in workspace.requests] == [WELL_KNOWN], (
        "neither the secret nor the request was sent"
    )


def test_redirect_of_the_token_request_gets_no_secret(workspace: Workspace) -> None:
    with Workspace() as other:
        TOKEN_FAULTS["to the other"] = lambda handler: handler.respond(307, "", {"Location": other.url + TOKEN})
        try:
            workspace.token_faults = ["to the other"]
            (outcome,) = send_as_service(workspace, *SEND_PROMPT)
        finally:
            del TOKEN_FAULTS["to the other"]
        assert outcome.status == "HTTP_ERROR" and contains_no_secret(outcome), outcome
        assert other.requests == []


def test_client_secret_may_contain_any_character(workspace: Workspace) -> None:
    workspace.client = ("id", "s3cr:et/+=%&é ~")
    assert texts(send_as_service(workspace, *SEND_PROMPT)) == ["echo: hi"]


@three_attempts
def test_call_waiting_for_a_token_returns_at_its_own_deadline() -> None:
    """A slow token request delays no waiting thread beyond its deadline, and continues when such a thread gives up."""
    with Workspace() as workspace:
        workspace.token_delay = 2.0
        with rounds(workspace, 16, short_ms=500) as run_round:
            ok, other, slowest, status = run_round()
            assert status == "MLFLOW_GATEWAY_TIMEOUT" and int(slowest) < 900, (ok, other, slowest, status)
            assert (ok, other) == ("8", "8")
        assert workspace.token_requests() <= 2, "the thread that gave up may have been the one with the request"


@three_attempts
def test_silent_token_endpoint_delays_a_call_for_at_most_its_deadline() -> None:
    with Workspace() as workspace:
        workspace.token_faults = ["silent"] * 64
        start = time.monotonic()
        environment = workspace.service_environment()
        outcomes = perform_all(
            "databricks", "handle-option timeout_ms=500", *SEND_PROMPT, "send", route="chat", env=environment
        )
        assert [outcome.status for outcome in outcomes] == ["TIMEOUT"] * 2
        assert time.monotonic() - start < 3


def test_client_id_and_secret_options_take_precedence_over_the_environment(workspace: Workspace) -> None:
    options = (f"handle-option client_id={CLIENT_ID}", f"handle-option client_secret={CLIENT_SECRET}")
    environment = {"DATABRICKS_HOST": workspace.url, "DATABRICKS_CLIENT_ID": "x", "DATABRICKS_CLIENT_SECRET": "y"}
    outcome = perform("databricks", *options, *SEND_PROMPT, route="chat", env=environment)
    assert texts([outcome]) == ["echo: hi"], "options take precedence over the environment"
    outcome = perform(workspace.url, "handle-option dialect=databricks", *options, *SEND_PROMPT, route="chat")
    assert texts([outcome]) == ["echo: hi"], "options work without the environment"
    outcome = perform(workspace.url, *options, *SEND_PROMPT, route="chat")
    assert texts([outcome]) == ["echo: hi"], "the dialect is discovered"


def test_changed_client_secret_discards_the_token(workspace: Workspace) -> None:
    outcomes = send_as_service(workspace, "prompt hi", "send", "handle-option client_secret=dose-wrong", "send")
    assert outcomes[0].status == "OK" and outcomes[1].status == "UNAUTHORIZED", outcomes[1]
    assert workspace.token_requests() == 2, "the token of one client is not used for the other"


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


@pytest.mark.parametrize("way", ["handle-header Authorization=Bearer ", "handle-option bearer_token="])
def test_dialect_of_a_workspace_url_is_discovered(workspace: Workspace, way: str) -> None:
    """The program passes only the URL and a token."""
    outcomes = perform_all(workspace.url, way + PAT, "prompt hi", "send", "send", "list", route="chat")
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
