"""The AI Gateway of MLflow's tracking server: calls, endpoints, authentication, workspaces, and tracing."""

import base64
import json
import secrets
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import tracking_server as tracking
from gateways.scripted_responses import embedding
from gateways.scripted_upstream import ScriptedUpstream
from gateways.tracking_server import Credentials, Endpoint
from support.builds import CHECKED, SHARED, Build
from support.calls import call
from support.operations import Outcome, perform, perform_all
from support.real_gateways import ACCOUNTS, RealGateway
from support.scripted_model import TOOLS
from support.timing import three_attempts

CHECKED_BUILDS = pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
WRONG = Credentials(ACCOUNTS.user.username, "not the password")
PREFIX = "/mlflow"


@pytest.fixture
def server(tracking_server: RealGateway) -> RealGateway:
    """The server, without the recorded requests of earlier tests."""
    tracking_server.upstream.forget_requests()
    return tracking_server


@pytest.fixture(scope="module")
def mounted() -> Iterator[RealGateway]:
    """A server below a path, with workspaces that contain different endpoints."""
    with ScriptedUpstream("chat") as upstream:
        endpoints = [
            Endpoint("chat", upstream.url),
            Endpoint("theirs", upstream.url, workspace="team-a"),
            Endpoint("embeddings", upstream.url, workspace="team-b"),
        ]
        with tracking.start(endpoints, prefix=PREFIX, with_workspaces=True) as server:
            yield RealGateway(tracking.VERSION, server, upstream, PREFIX)


def names(outcome: Outcome) -> list[str]:
    """Returns the sorted names of a list, which the server returns in any order."""
    assert outcome.status == "OK", outcome
    return sorted(route.name for route in outcome.routes)


# Calls


@CHECKED_BUILDS
def test_prompt_is_sent_as_a_message(server: RealGateway, build: Build) -> None:
    outcome = call(server.url, "one two", route="chat", build=build)
    assert (outcome.status, outcome.text) == ("OK", "echo: one two"), outcome
    (request,) = server.upstream.requests()
    assert request["path"] == "/v1/chat/completions"
    assert request["body"]["messages"] == [{"role": "user", "content": "one two"}]


def test_messages_and_parameters_arrive_unchanged(server: RealGateway) -> None:
    commands = [
        "message system=be short", "message user=hi", "param candidate_count=2", "param temperature=0.5", "stop END",
        "param max_tokens=7", "send",
    ]  # fmt: skip
    outcome = perform(server.url, *commands, route="chat")
    assert outcome.response.texts == ["echo: hi", "echo: hi #1"]
    assert outcome.response.candidates[0].finish_reason == "stop"
    assert outcome.response.usage == [1, 5, 6]
    (request,) = server.upstream.requests()
    assert request["body"] == {
        "model": "smollm2",
        "messages": [{"role": "system", "content": "be short"}, {"role": "user", "content": "hi"}],
        "n": 2,
        "temperature": 0.5,
        "stop": ["END"],
        "max_tokens": 7,
    }


def test_tool_calls_are_returned(server: RealGateway) -> None:
    commands = [f"param tools={json.dumps(TOOLS)}", "message user=!tools", "stream", "send"]
    for outcome in perform_all(server.url, *commands, route="chat"):
        calls = outcome.response.candidates[0].tool_calls
        assert [json.loads(arguments) for _, _, arguments in calls] == [{"city": "Paris"}, {"city": "Oslo"}]


@CHECKED_BUILDS
@three_attempts
def test_text_arrives_while_it_is_generated(server: RealGateway, build: Build) -> None:
    fetched, called = perform_all(
        server.url, "prompt !slow 300 one two", "stream", "callback", route="chat", build=build
    )
    assert (fetched.status, called.status) == ("STREAM_END", "OK")
    for outcome in (fetched, called):
        assert [text for _, text, _ in outcome.deltas] == ["echo:", " !slow", " 300", " one", " two"]
        assert outcome.deltas[0][2] < outcome.deltas[-1][2] - 100_000, "the first word arrives well before the last"
        assert outcome.response.usage == [4, 5, 9]


@pytest.mark.parametrize(
    "fault, status, phrase",
    [
        ("!status 503", "STREAM_ERROR", "scripted 503"),
        ("!status 429", "RATE_LIMITED", "scripted 429"),
        ("!break 4", "STREAM_ERROR", "payload is not completed"),
    ],
)
def test_failure_behind_the_server_is_reported_in_a_stream(
    server: RealGateway, fault: str, status: str, phrase: str
) -> None:
    """This server reports the failure, unlike the others, but under HTTP 200."""
    outcome = perform(server.url, f"prompt {fault} one two three", "stream", route="chat")
    assert outcome.status == status and phrase in outcome.message, outcome
    assert "echo: !break 4 one two three".startswith(outcome.text())
    assert (outcome.text() == "") == fault.startswith("!status")


@CHECKED_BUILDS
def test_embeddings_of_several_requests_are_in_order(server: RealGateway, build: Build) -> None:
    commands = [*(f"input {number}" for number in range(25)), "option embed_batch_size=10"]
    plain, as_base64 = perform_all(
        server.url, *commands, "embed", "string encoding_format=base64", "embed", route="embeddings", build=build
    )
    for outcome in (plain, as_base64):
        assert outcome.status == "OK", outcome
        assert outcome.embeddings.values == [embedding(str(number)) for number in range(25)]
    sizes = [len(request["body"]["input"]) for request in server.upstream.requests()]
    assert sorted(sizes) == [5, 5, 10, 10, 10, 10]


def test_embeddings_of_a_real_model_are_returned(server: RealGateway) -> None:
    outcome = perform(server.url, "input the cat sleeps", "input a cat is asleep", "input tax law", "embed", route="e5")
    sleeps, asleep, law = outcome.embeddings.values
    assert outcome.embeddings.dimension == 384

    def similarity(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other))

    assert similarity(sleeps, asleep) > similarity(sleeps, law)


def test_errors_contain_the_message_of_the_server(server: RealGateway) -> None:
    rows = [
        (("chat", "hi", "param:temperature=3"), "BAD_REQUEST", 400, "temperature Input should be less than or equal"),
        (("chat", "hi", 'param:model="x"'), "BAD_REQUEST", 422, "'model' is not permitted"),
        (("chat", "!status 401"), "UNAUTHORIZED", 401, "scripted 401"),
        (("chat", "!status 429"), "RATE_LIMITED", 429, "scripted 429"),
        (("chat", "!status 503"), "SERVER_ERROR", 503, "scripted 503"),
    ]
    for (route, prompt, *settings), status, http_status, phrase in rows:
        outcome = call(server.url, prompt, *settings, route=route)
        assert (outcome.status, outcome.http_status) == (status, http_status), outcome
        assert phrase in " ".join(outcome.text.split())


# Endpoints


@CHECKED_BUILDS
def test_endpoints_are_listed(server: RealGateway, build: Build) -> None:
    listed, one, own = perform_all(server.url, "list", "get-route e5", "get-route", route="chat", build=build)
    assert names(listed) == ["chat", "e5", "embeddings", "traced"]
    assert (names(one), names(own)) == (["e5"], ["chat"])
    for route in listed.routes + one.routes:
        assert route.type is None, "each endpoint serves both chat and embeddings"
        assert (route.provider, route.model) == ("openai", "smollm2")
        assert route.url == f"{server.url}/gateway/{route.name}/mlflow/invocations"
        assert json.loads(route.json)["usage_tracking"] == (route.name == "traced")


@CHECKED_BUILDS
@pytest.mark.parametrize("command", ["send", "stream", "embed", "get-route"])
@three_attempts
def test_missing_endpoint_error_names_existing_endpoints(server: RealGateway, build: Build, command: str) -> None:
    input = "input x" if command == "embed" else "prompt x"
    outcome = perform(server.url, input, command, route="chatt", build=build)
    assert (outcome.status, outcome.response, outcome.embeddings) == ("NOT_FOUND", None, None)
    assert '"chatt"; did you mean "chat"? it has: chat, e5, embeddings, traced' in outcome.message
    assert server.upstream.requests() == []


def test_health_is_reported_below_the_right_path_only(server: RealGateway) -> None:
    assert perform(server.url, "health").status == "OK"
    assert perform(f"{server.url}/nowhere", "health").status == "NOT_FOUND"


def test_dialect_option_must_be_tracking(server: RealGateway) -> None:
    assert call(server.url, "hi", "option:dialect=tracking", route="chat").text == "echo: hi"
    for other in ("deployments", "gateway", "databricks"):
        outcome = call(server.url, "hi", f"option:dialect={other}", route="chat")
        assert (outcome.status, outcome.http_status) == ("NOT_FOUND", 404), outcome


def test_changes_of_limits_and_routes_are_unsupported(server: RealGateway) -> None:
    changes = ("get-limits chat", "set-limits chat=[]", 'create-route {"name": "x"}', "delete-route chat")
    for outcome in perform_all(server.url, *changes, route="chat"):
        assert outcome.status == "UNSUPPORTED", outcome
    assert "chat" in names(perform(server.url, "list"))


# Authentication


def basic(account: Credentials) -> str:
    return "Basic " + base64.b64encode(":".join(account).encode()).decode()


def options(account: Credentials) -> list[str]:
    return [f"handle-option username={account.username}", f"handle-option password={account.password}"]


def variables(account: Credentials) -> dict[str, str]:
    return {"MLFLOW_TRACKING_USERNAME": account.username, "MLFLOW_TRACKING_PASSWORD": account.password}


def home_with(account: Credentials, folder: Path) -> dict[str, str]:
    """Writes a credentials file, and returns the environment that refers to it."""
    file = folder / ".mlflow" / "credentials"
    file.parent.mkdir()
    file.write_text(
        f"[mlflow]\nmlflow_tracking_username = {account.username}\nmlflow_tracking_password={account.password}\n"
    )
    return {"HOME": str(folder)}


IN_ITS_OWN_HEADER = "handle-option auth_header=X-MLflow-Authorization"

CREDENTIAL_SOURCES = {
    "options": lambda account, folder: (options(account), {}),
    "options-in-its-header": lambda account, folder: ([*options(account), IN_ITS_OWN_HEADER], {}),
    "header": lambda account, folder: ([f"handle-header Authorization={basic(account)}"], {}),
    "its-header": lambda account, folder: ([f"handle-header X-MLflow-Authorization={basic(account)}"], {}),
    "environment": lambda account, folder: ([], variables(account)),
    "environment-in-its-header": lambda account, folder: ([IN_ITS_OWN_HEADER], variables(account)),
    "file": lambda account, folder: ([], home_with(account, folder)),
    "file-in-its-header": lambda account, folder: ([IN_ITS_OWN_HEADER], home_with(account, folder)),
}
"""Sources of credentials: each returns the commands for the handle, and the environment."""
EACH_CREDENTIAL_SOURCE = pytest.mark.parametrize("source", CREDENTIAL_SOURCES)


@EACH_CREDENTIAL_SOURCE
@pytest.mark.parametrize("account", [ACCOUNTS.admin, ACCOUNTS.user], ids=["admin", "user"])
def test_authorized_account_can_use_every_operation(
    tracking_server_with_auth: RealGateway, tmp_path: Path, account: Credentials, source: str
) -> None:
    """The server refuses the paths of discovery to users who are not administrators: the call must work anyway."""
    commands, environment = CREDENTIAL_SOURCES[source](account, tmp_path)
    url = tracking_server_with_auth.url
    sent, streamed, listed, own, health = perform_all(
        url, *commands, "prompt hi", "send", "stream", "list", "get-route", "health", route="chat", env=environment
    )
    assert sent.response.texts == ["echo: hi"]
    assert (streamed.status, streamed.text()) == ("STREAM_END", "echo: hi")
    assert (names(listed), names(own), health.status) == (["chat", "embeddings"], ["chat"], "OK")
    values = perform(url, *commands, "input a", "embed", route="embeddings", env=environment).embeddings.values
    assert values == [embedding("a")]


@EACH_CREDENTIAL_SOURCE
def test_wrong_password_is_unauthorized(tracking_server_with_auth: RealGateway, tmp_path: Path, source: str) -> None:
    commands, environment = CREDENTIAL_SOURCES[source](WRONG, tmp_path)
    url = tracking_server_with_auth.url
    for outcome in perform_all(
        url, *commands, "prompt hi", "send", "stream", "list", "get-route", route="chat", env=environment
    ):
        assert (outcome.status, outcome.error_http_status) == ("UNAUTHORIZED", 401), outcome
        assert "You are not authenticated" in outcome.message
        assert WRONG.password not in outcome.message and basic(WRONG) not in outcome.message
    assert perform(url, *commands, "health", route="chat", env=environment).status == "OK"


def test_missing_credentials_are_unauthorized_with_advice(tracking_server_with_auth: RealGateway) -> None:
    url = tracking_server_with_auth.url
    for outcome in perform_all(url, "prompt hi", "send", "stream", "list", route="chat"):
        assert (outcome.status, outcome.error_http_status) == ("UNAUTHORIZED", 401), outcome
        assert "username" in outcome.message and "password" in outcome.message, "the message contains advice"
    for token in ([f"handle-option bearer_token={ACCOUNTS.admin.password}"], []):
        environment = {} if token else {"MLFLOW_TRACKING_TOKEN": ACCOUNTS.admin.password}
        outcome = perform(url, *token, "prompt hi", "send", route="chat", env=environment)
        assert outcome.status == "UNAUTHORIZED", "this server supports no tokens"


def test_account_without_permission_is_forbidden(tracking_server_with_auth: RealGateway) -> None:
    url = tracking_server_with_auth.url
    sent, streamed, listed = perform_all(
        url, *options(ACCOUNTS.stranger), "prompt hi", "send", "stream", "list", route="chat"
    )
    for outcome in (sent, streamed):
        assert (outcome.status, outcome.error_http_status) == ("FORBIDDEN", 403), outcome
        assert "Permission denied" in outcome.message
    assert names(listed) == []


@three_attempts
def test_missing_endpoint_error_names_only_endpoints_visible_to_the_user(
    tracking_server_with_auth: RealGateway,
) -> None:
    """The server reports a missing endpoint as forbidden, to hide the existing ones."""
    for outcome in perform_all(
        tracking_server_with_auth.url, *options(ACCOUNTS.user), "prompt hi", "send", "stream", route="chatt"
    ):
        assert (outcome.status, outcome.error_http_status) == ("FORBIDDEN", 403), outcome
        assert 'did you mean "chat"? it has: chat, embeddings' in outcome.message


def test_options_take_precedence_over_environment_and_environment_over_file(
    tracking_server_with_auth: RealGateway, tmp_path: Path
) -> None:
    right, url = ACCOUNTS.user, tracking_server_with_auth.url
    file_of_right, file_of_wrong = (tmp_path / name for name in ("right", "wrong"))
    file_of_right.mkdir()
    file_of_wrong.mkdir()
    rows = [
        (options(right), {**variables(WRONG), **home_with(WRONG, file_of_wrong)}, "OK"),
        ([], {**variables(right), "HOME": str(file_of_wrong)}, "OK"),
        (options(WRONG), {**variables(right), **home_with(right, file_of_right)}, "UNAUTHORIZED"),
        ([], {**variables(WRONG), "HOME": str(file_of_right)}, "UNAUTHORIZED"),
        ([f"handle-header Authorization={basic(right)}", *options(WRONG)], {}, "OK"),
        ([f"handle-header Authorization={basic(WRONG)}", *options(right)], {}, "UNAUTHORIZED"),
        (["handle-option bearer_token=x"], variables(right), "UNAUTHORIZED"),
        ([f"header Authorization={basic(right)}"], variables(WRONG), "OK"),
    ]
    for commands, environment, status in rows:
        outcome = perform(url, *commands, "prompt hi", "send", route="chat", env=environment)
        assert outcome.status == status, (commands, environment, outcome)


# Paths and workspaces


@CHECKED_BUILDS
def test_server_below_a_path_is_used(mounted: RealGateway, build: Build) -> None:
    for url in (mounted.url, mounted.url + "/"):
        sent, streamed, listed, health = perform_all(
            url, "prompt hi", "send", "stream", "list", "health", route="chat", build=build
        )
        assert (sent.response.texts, streamed.text(), health.status) == (["echo: hi"], "echo: hi", "OK")
        assert [route.url for route in listed.routes] == [f"{mounted.url}/gateway/chat/mlflow/invocations"]
    for outcome in perform_all(mounted.server.url, "prompt hi", "send", "list", "health", route="chat", build=build):
        assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome


@pytest.mark.parametrize("source", ["option", "environment", "header"])
def test_workspace_selects_its_own_endpoints(mounted: RealGateway, source: str) -> None:
    def perform_in(workspace: str, route: str, *operations: str) -> list[Outcome]:
        commands = {
            "option": [f"handle-option workspace={workspace}"],
            "environment": [],
            "header": [f"handle-header X-MLFLOW-WORKSPACE={workspace}"],
        }[source]
        environment = {"MLFLOW_WORKSPACE": workspace} if source == "environment" else {}
        return perform_all(mounted.url, *commands, *operations, route=route, env=environment)

    sent, streamed, listed = perform_in("team-a", "theirs", "prompt hi", "send", "stream", "list")
    assert (sent.response.texts, streamed.text(), names(listed)) == (["echo: hi"], "echo: hi", ["theirs"])
    (embedded,) = perform_in("team-b", "embeddings", "input a", "embed")
    assert embedded.embeddings.values == [embedding("a")]
    (elsewhere,) = perform_in("default", "theirs", "prompt hi", "send")
    assert elsewhere.status == "NOT_FOUND" and "it has: chat" in elsewhere.message
    for outcome in perform_in("team-c", "theirs", "prompt hi", "send", "stream", "list", "get-route", "health"):
        assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome
        # Values of headers that the program sets itself are masked.
        assert f"Workspace '{'***' if source == 'header' else 'team-c'}' not found" in outcome.message


def test_workspace_option_takes_precedence_over_the_environment(mounted: RealGateway) -> None:
    elsewhere = {"MLFLOW_WORKSPACE": "team-b"}
    assert names(perform(mounted.url, "handle-option workspace=team-a", "list", env=elsewhere)) == ["theirs"]
    assert names(perform(mounted.url, "handle-option workspace=", "list", env=elsewhere)) == ["chat"]


def test_workspace_is_unsupported_by_a_server_without_workspaces(server: RealGateway) -> None:
    operations = ("send", "stream", "list", "get-route", "health")
    for outcome in perform_all(server.url, "handle-option workspace=team-a", "prompt hi", *operations, route="chat"):
        assert (outcome.status, outcome.error_http_status) == ("UNSUPPORTED", 500), outcome
        assert "workspaces are not enabled on this server" in outcome.message


# Timing and tracing


@CHECKED_BUILDS
@three_attempts
def test_duration_headers_of_the_server_are_returned(server: RealGateway, build: Build) -> None:
    headers = ["show-header X-MLflow-Gateway-Duration-Ms", "show-header x-mlflow-gateway-overhead-duration-ms"]
    sent, streamed = perform_all(
        server.url, *headers, "prompt !delay 300 x", "send", "stream", route="chat", build=build
    )
    duration, overhead = map(int, sent.response.headers)
    assert 300 <= duration <= sent.response.elapsed_us / 1000 and 0 <= overhead <= duration - 250
    assert int(streamed.response.headers[0]) >= 0 and streamed.response.headers[1] is None, "not in a stream"


@pytest.mark.parametrize("command", ["send", "stream", "callback", "embed"])
def test_trace_context_continues_in_the_server(server: RealGateway, command: str) -> None:
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    input = "input hi" if command == "embed" else "prompt hi"
    outcome = perform(server.url, input, f"header traceparent=00-{trace_id}-{span_id}-01", command, route="traced")
    assert outcome.status in ("OK", "STREAM_END"), outcome
    with urllib.request.urlopen(f"{server.url}/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}") as response:
        spans = json.load(response)["trace"]["spans"]
    (parent,) = (span["parent_span_id"] for span in spans if span["name"] == "gateway/traced")
    assert base64.b64decode(parent).hex() == span_id
