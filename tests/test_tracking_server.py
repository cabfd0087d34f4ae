"""The AI Gateway of MLflow's tracking server, through C: what it answers, and what else it wants to be told."""

import base64
import json
import secrets
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateways import tracking_server as tracking
from gateways.scripted_answers import embedding
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
    """The server without what it was asked before."""
    tracking_server.upstream.forget_requests()
    return tracking_server


@pytest.fixture(scope="module")
def mounted() -> Iterator[RealGateway]:
    """A server below a path and with workspaces, in each of which other endpoints are."""
    with ScriptedUpstream("chat") as upstream:
        endpoints = [
            Endpoint("chat", upstream.url),
            Endpoint("theirs", upstream.url, workspace="team-a"),
            Endpoint("embeddings", upstream.url, workspace="team-b"),
        ]
        with tracking.start(endpoints, prefix=PREFIX, with_workspaces=True) as server:
            yield RealGateway(tracking.VERSION, server, upstream, PREFIX)


def names(outcome: Outcome) -> list[str]:
    """The names in a list, which the server gives in any order."""
    assert outcome.status == "OK", outcome
    return sorted(route.name for route in outcome.routes)


# What it answers


@CHECKED_BUILDS
def test_a_prompt_goes_as_a_message(server: RealGateway, build: Build) -> None:
    outcome = call(server.url, "one two", route="chat", build=build)
    assert (outcome.status, outcome.text) == ("OK", "echo: one two"), outcome
    (request,) = server.upstream.requests()
    assert request["path"] == "/v1/chat/completions"
    assert request["body"]["messages"] == [{"role": "user", "content": "one two"}]


def test_messages_and_parameters_arrive(server: RealGateway) -> None:
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


def test_tools_are_called(server: RealGateway) -> None:
    commands = [f"param tools={json.dumps(TOOLS)}", "message user=!tools", "stream", "send"]
    for outcome in perform_all(server.url, *commands, route="chat"):
        calls = outcome.response.candidates[0].tool_calls
        assert [json.loads(arguments) for _, _, arguments in calls] == [{"city": "Paris"}, {"city": "Oslo"}]


@CHECKED_BUILDS
@three_attempts
def test_words_come_as_they_are_made(server: RealGateway, build: Build) -> None:
    fetched, called = perform_all(server.url, "prompt !slow 300 one two", "stream", "callback", route="chat", build=build)
    assert (fetched.status, called.status) == ("STREAM_END", "OK")
    for outcome in (fetched, called):
        assert [text for _, text, _ in outcome.deltas] == ["echo:", " !slow", " 300", " one", " two"]
        assert outcome.deltas[0][2] < outcome.deltas[-1][2] - 100_000, "the first word comes well before the last"
        assert outcome.response.usage == [4, 5, 9]


@pytest.mark.parametrize(
    "fault, status, words",
    [
        ("!status 503", "STREAM_ERROR", "scripted 503"),
        ("!status 429", "RATE_LIMITED", "scripted 429"),
        ("!break 4", "STREAM_ERROR", "payload is not completed"),
    ],
)
def test_what_fails_behind_it_in_a_stream(server: RealGateway, fault: str, status: str, words: str) -> None:
    """This server tells it, unlike the others, but with a success as the status."""
    outcome = perform(server.url, f"prompt {fault} one two three", "stream", route="chat")
    assert outcome.status == status and words in outcome.message, outcome
    assert "echo: !break 4 one two three".startswith(outcome.text())
    assert (outcome.text() == "") == fault.startswith("!status")


@CHECKED_BUILDS
def test_vectors_come_in_order_from_several_requests(server: RealGateway, build: Build) -> None:
    commands = [*(f"input {number}" for number in range(25)), "option embed_batch_size=10"]
    plain, as_base64 = perform_all(
        server.url, *commands, "embed", "string encoding_format=base64", "embed", route="embeddings", build=build
    )
    for outcome in (plain, as_base64):
        assert outcome.status == "OK", outcome
        assert outcome.embeddings.values == [embedding(str(number)) for number in range(25)]
    sizes = [len(request["body"]["input"]) for request in server.upstream.requests()]
    assert sorted(sizes) == [5, 5, 10, 10, 10, 10]


def test_vectors_of_a_real_model(server: RealGateway) -> None:
    outcome = perform(server.url, "input the cat sleeps", "input a cat is asleep", "input tax law", "embed", route="e5")
    sleeps, asleep, law = outcome.embeddings.values
    assert outcome.embeddings.dimension == 384

    def likeness(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other))

    assert likeness(sleeps, asleep) > likeness(sleeps, law)


def test_refusals_keep_its_words(server: RealGateway) -> None:
    rows = [
        (("chat", "hi", "param:temperature=3"), "BAD_REQUEST", 400, "temperature Input should be less than or equal"),
        (("chat", "hi", 'param:model="x"'), "BAD_REQUEST", 422, "'model' is not permitted"),
        (("chat", "!status 401"), "UNAUTHORIZED", 401, "scripted 401"),
        (("chat", "!status 429"), "RATE_LIMITED", 429, "scripted 429"),
        (("chat", "!status 503"), "SERVER_ERROR", 503, "scripted 503"),
    ]
    for (route, prompt, *settings), status, http_status, words in rows:
        outcome = call(server.url, prompt, *settings, route=route)
        assert (outcome.status, outcome.http_status) == (status, http_status), outcome
        assert words in " ".join(outcome.text.split())


# What is there


@CHECKED_BUILDS
def test_its_endpoints_are_listed(server: RealGateway, build: Build) -> None:
    listed, one, own = perform_all(server.url, "list", "get-route e5", "get-route", route="chat", build=build)
    assert names(listed) == ["chat", "e5", "embeddings", "traced"]
    assert (names(one), names(own)) == (["e5"], ["chat"])
    for route in listed.routes + one.routes:
        assert route.type is None, "each of its endpoints does both chat and vectors"
        assert (route.provider, route.model) == ("openai", "smollm2")
        assert route.url == f"{server.url}/gateway/{route.name}/mlflow/invocations"
        assert json.loads(route.json)["usage_tracking"] == (route.name == "traced")


@CHECKED_BUILDS
@pytest.mark.parametrize("asks", ["send", "stream", "embed", "get-route"])
@three_attempts
def test_an_unknown_endpoint_names_what_exists(server: RealGateway, build: Build, asks: str) -> None:
    question = "input x" if asks == "embed" else "prompt x"
    outcome = perform(server.url, question, asks, route="chatt", build=build)
    assert (outcome.status, outcome.response, outcome.embeddings) == ("NOT_FOUND", None, None)
    assert '"chatt"; did you mean "chat"? it has: chat, e5, embeddings, traced' in outcome.message
    assert server.upstream.requests() == []


def test_its_health(server: RealGateway) -> None:
    assert perform(server.url, "health").status == "OK"
    assert perform(f"{server.url}/nowhere", "health").status == "NOT_FOUND"


def test_its_dialect_can_be_forced(server: RealGateway) -> None:
    assert call(server.url, "hi", "option:dialect=tracking", route="chat").text == "echo: hi"
    for other in ("deployments", "gateway", "databricks"):
        outcome = call(server.url, "hi", f"option:dialect={other}", route="chat")
        assert (outcome.status, outcome.http_status) == ("NOT_FOUND", 404), outcome


def test_limits_and_routes_cannot_be_changed(server: RealGateway) -> None:
    asks = ("get-limits chat", "set-limits chat=[]", 'create-route {"name": "x"}', "delete-route chat")
    for outcome in perform_all(server.url, *asks, route="chat"):
        assert outcome.status == "UNSUPPORTED", outcome
    assert "chat" in names(perform(server.url, "list"))


# Who may ask


def basic(account: Credentials) -> str:
    return "Basic " + base64.b64encode(":".join(account).encode()).decode()


def options(account: Credentials) -> list[str]:
    return [f"handle-option username={account.username}", f"handle-option password={account.password}"]


def variables(account: Credentials) -> dict[str, str]:
    return {"MLFLOW_TRACKING_USERNAME": account.username, "MLFLOW_TRACKING_PASSWORD": account.password}


def home_with(account: Credentials, folder: Path) -> dict[str, str]:
    """The environment of somebody who has a file of credentials."""
    file = folder / ".mlflow" / "credentials"
    file.parent.mkdir()
    file.write_text(
        f"[mlflow]\nmlflow_tracking_username = {account.username}\nmlflow_tracking_password={account.password}\n"
    )
    return {"HOME": str(folder)}


IN_ITS_OWN_HEADER = "handle-option auth_header=X-MLflow-Authorization"

WAYS = {
    "options": lambda account, folder: (options(account), {}),
    "options-in-its-header": lambda account, folder: ([*options(account), IN_ITS_OWN_HEADER], {}),
    "header": lambda account, folder: ([f"handle-header Authorization={basic(account)}"], {}),
    "its-header": lambda account, folder: ([f"handle-header X-MLflow-Authorization={basic(account)}"], {}),
    "environment": lambda account, folder: ([], variables(account)),
    "environment-in-its-header": lambda account, folder: ([IN_ITS_OWN_HEADER], variables(account)),
    "file": lambda account, folder: ([], home_with(account, folder)),
    "file-in-its-header": lambda account, folder: ([IN_ITS_OWN_HEADER], home_with(account, folder)),
}
"""The ways to say who asks: each gives the commands to the handle, and the environment."""
EACH_WAY = pytest.mark.parametrize("way", WAYS)


@EACH_WAY
@pytest.mark.parametrize("account", [ACCOUNTS.admin, ACCOUNTS.user], ids=["admin", "user"])
def test_who_may_ask_is_answered(
    tracking_server_with_auth: RealGateway, tmp_path: Path, account: Credentials, way: str
) -> None:
    """A user who is no administrator is refused what tells other gateways apart: that must not be the end."""
    commands, environment = WAYS[way](account, tmp_path)
    url = tracking_server_with_auth.url
    sent, streamed, listed, own, health = perform_all(
        url, *commands, "prompt hi", "send", "stream", "list", "get-route", "health", route="chat", env=environment
    )
    assert sent.response.texts == ["echo: hi"]
    assert (streamed.status, streamed.text()) == ("STREAM_END", "echo: hi")
    assert (names(listed), names(own), health.status) == (["chat", "embeddings"], ["chat"], "OK")
    vectors = perform(url, *commands, "input a", "embed", route="embeddings", env=environment).embeddings.values
    assert vectors == [embedding("a")]


@EACH_WAY
def test_who_gives_a_wrong_password_is_unauthorized(
    tracking_server_with_auth: RealGateway, tmp_path: Path, way: str
) -> None:
    commands, environment = WAYS[way](WRONG, tmp_path)
    url = tracking_server_with_auth.url
    for outcome in perform_all(
        url, *commands, "prompt hi", "send", "stream", "list", "get-route", route="chat", env=environment
    ):
        assert (outcome.status, outcome.error_http_status) == ("UNAUTHORIZED", 401), outcome
        assert "You are not authenticated" in outcome.message
        assert WRONG.password not in outcome.message and basic(WRONG) not in outcome.message
    assert perform(url, *commands, "health", route="chat", env=environment).status == "OK"


def test_nobody_is_unauthorized(tracking_server_with_auth: RealGateway) -> None:
    url = tracking_server_with_auth.url
    for outcome in perform_all(url, "prompt hi", "send", "stream", "list", route="chat"):
        assert (outcome.status, outcome.error_http_status) == ("UNAUTHORIZED", 401), outcome
        assert "username" in outcome.message and "password" in outcome.message, "it says what to do"
    for token in ([f"handle-option bearer_token={ACCOUNTS.admin.password}"], []):
        environment = {} if token else {"MLFLOW_TRACKING_TOKEN": ACCOUNTS.admin.password}
        outcome = perform(url, *token, "prompt hi", "send", route="chat", env=environment)
        assert outcome.status == "UNAUTHORIZED", "this server knows no tokens"


def test_who_may_not_ask_is_forbidden(tracking_server_with_auth: RealGateway) -> None:
    url = tracking_server_with_auth.url
    sent, streamed, listed = perform_all(
        url, *options(ACCOUNTS.stranger), "prompt hi", "send", "stream", "list", route="chat"
    )
    for outcome in (sent, streamed):
        assert (outcome.status, outcome.error_http_status) == ("FORBIDDEN", 403), outcome
        assert "Permission denied" in outcome.message
    assert names(listed) == []


@three_attempts
def test_an_unknown_endpoint_names_what_the_user_may_see(tracking_server_with_auth: RealGateway) -> None:
    """The server says of such a one that it is forbidden: it does not tell what is there to who may not see it."""
    for outcome in perform_all(
        tracking_server_with_auth.url, *options(ACCOUNTS.user), "prompt hi", "send", "stream", route="chatt"
    ):
        assert (outcome.status, outcome.error_http_status) == ("FORBIDDEN", 403), outcome
        assert 'did you mean "chat"? it has: chat, embeddings' in outcome.message


def test_an_option_counts_more_than_the_environment_and_that_more_than_the_file(
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


# Where it is, and for whom


@CHECKED_BUILDS
def test_it_is_asked_below_its_path(mounted: RealGateway, build: Build) -> None:
    for url in (mounted.url, mounted.url + "/"):
        sent, streamed, listed, health = perform_all(
            url, "prompt hi", "send", "stream", "list", "health", route="chat", build=build
        )
        assert (sent.response.texts, streamed.text(), health.status) == (["echo: hi"], "echo: hi", "OK")
        assert [route.url for route in listed.routes] == [f"{mounted.url}/gateway/chat/mlflow/invocations"]
    for outcome in perform_all(mounted.server.url, "prompt hi", "send", "list", "health", route="chat", build=build):
        assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome


@pytest.mark.parametrize("way", ["option", "environment", "header"])
def test_a_workspace_has_endpoints_of_its_own(mounted: RealGateway, way: str) -> None:
    def ask_in(workspace: str, route: str, *asks: str) -> list[Outcome]:
        commands = {
            "option": [f"handle-option workspace={workspace}"],
            "environment": [],
            "header": [f"handle-header X-MLFLOW-WORKSPACE={workspace}"],
        }[way]
        environment = {"MLFLOW_WORKSPACE": workspace} if way == "environment" else {}
        return perform_all(mounted.url, *commands, *asks, route=route, env=environment)

    sent, streamed, listed = ask_in("team-a", "theirs", "prompt hi", "send", "stream", "list")
    assert (sent.response.texts, streamed.text(), names(listed)) == (["echo: hi"], "echo: hi", ["theirs"])
    (embedded,) = ask_in("team-b", "embeddings", "input a", "embed")
    assert embedded.embeddings.values == [embedding("a")]
    (elsewhere,) = ask_in("default", "theirs", "prompt hi", "send")
    assert elsewhere.status == "NOT_FOUND" and "it has: chat" in elsewhere.message
    for outcome in ask_in("team-c", "theirs", "prompt hi", "send", "stream", "list", "get-route", "health"):
        assert (outcome.status, outcome.error_http_status) == ("NOT_FOUND", 404), outcome
        # Values of headers that the program sets itself are masked.
        assert f"Workspace '{'***' if way == 'header' else 'team-c'}' not found" in outcome.message


def test_an_option_counts_more_than_the_workspace_of_the_environment(mounted: RealGateway) -> None:
    elsewhere = {"MLFLOW_WORKSPACE": "team-b"}
    assert names(perform(mounted.url, "handle-option workspace=team-a", "list", env=elsewhere)) == ["theirs"]
    assert names(perform(mounted.url, "handle-option workspace=", "list", env=elsewhere)) == ["chat"]


def test_a_workspace_on_a_server_without_them(server: RealGateway) -> None:
    asks = ("send", "stream", "list", "get-route", "health")
    for outcome in perform_all(server.url, "handle-option workspace=team-a", "prompt hi", *asks, route="chat"):
        assert (outcome.status, outcome.error_http_status) == ("UNSUPPORTED", 500), outcome
        assert "workspaces are not enabled on this server" in outcome.message


# What it tells besides


@CHECKED_BUILDS
@three_attempts
def test_how_long_it_took_comes_back(server: RealGateway, build: Build) -> None:
    headers = ["show-header X-MLflow-Gateway-Duration-Ms", "show-header x-mlflow-gateway-overhead-duration-ms"]
    sent, streamed = perform_all(server.url, *headers, "prompt !delay 300 x", "send", "stream", route="chat", build=build)
    duration, overhead = map(int, sent.response.headers)
    assert 300 <= duration <= sent.response.elapsed_us / 1000 and 0 <= overhead <= duration - 250
    assert int(streamed.response.headers[0]) >= 0 and streamed.response.headers[1] is None, "not in a stream"


@pytest.mark.parametrize("asks", ["send", "stream", "callback", "embed"])
def test_a_trace_goes_on_in_the_server(server: RealGateway, asks: str) -> None:
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    question = "input hi" if asks == "embed" else "prompt hi"
    outcome = perform(server.url, question, f"header traceparent=00-{trace_id}-{span_id}-01", asks, route="traced")
    assert outcome.status in ("OK", "STREAM_END"), outcome
    with urllib.request.urlopen(f"{server.url}/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}") as answer:
        spans = json.load(answer)["trace"]["spans"]
    (parent,) = (span["parent_span_id"] for span in spans if span["name"] == "gateway/traced")
    assert base64.b64decode(parent).hex() == span_id
