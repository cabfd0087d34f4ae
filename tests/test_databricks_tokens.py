"""Tokens of a Databricks service principal: request, renewal, sharing between threads, and failures."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from support.builds import CHECKED, SHARED, THREADED, VALGRIND, Build
from support.databricks_client import SEND_PROMPT, contains_no_secret, send_as_service, texts
from support.databricks_workspace import (
    CLIENT_ID,
    CLIENT_SECRET,
    ENDPOINTS,
    INVOCATIONS,
    TOKEN,
    TOKEN_FAULTS,
    WELL_KNOWN,
    WELL_KNOWN_FAULTS,
    Workspace,
    header,
)
from support.operations import perform, perform_all
from support.scripted_gateway import HOST, Request
from support.timing import three_attempts


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
@pytest.mark.parametrize("command", ["send", "stream", "callback"])
def test_refused_token_is_renewed_and_the_request_repeated(workspace: Workspace, command: str, status: int) -> None:
    workspace.stale_status = status
    revoked = []

    def revoke_once(request: Request) -> None:
        if not revoked:
            revoked.append(request)
            workspace.revoke()

    workspace.before_response = revoke_once
    first, second = send_as_service(workspace, "prompt hi", command, command)
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
