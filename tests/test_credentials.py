"""Credentials: each kind, their precedence, and that they are never sent where others can read them."""

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.builds import CHECKED, SHARED, Build
from support.databricks_workspace import header
from support.operations import perform, perform_all
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    NOT_FOUND,
    Handler,
    Request,
    ScriptedGateway,
    listening,
    one_route,
    refused_port,
)

NOWHERE = "no-such-host.invalid"

BEARER = ("handle-option bearer_token=hunter2-token",)
BASIC = ("handle-option username=me", "handle-option password=hunter2-password")
EVERY_OPERATION = (
    "send", "stream", "callback", "list", "get-route", "get-limits", "set-limits r=[]", "create-route {}",
    "delete-route r",
)  # fmt: skip


def chat_gateway() -> ScriptedGateway:
    def chat(handler: Handler, request: Request) -> None:
        handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})

    return ScriptedGateway(one_route(chat, CHAT_ROUTE))


def sent(*commands: str, name: str = "Authorization", env: dict[str, str] = {}, build: Build = SHARED) -> list[str]:
    """Returns the values of a header, in the discovery request and in the POST request."""
    with chat_gateway() as gateway:
        outcome = perform(gateway.url, *commands, "prompt hi", "send", env=env, build=build)
    assert outcome.status == "OK", outcome
    assert [request.method for request in gateway.requests] == ["GET", "POST"]
    return [header(request, name) for request in gateway.requests]


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


# Each option


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_bearer_token_and_basic_credentials_are_sent(build: Build) -> None:
    assert sent(*BEARER, build=build) == ["Bearer hunter2-token"] * 2
    assert sent(*BASIC, build=build) == [basic("me", "hunter2-password")] * 2
    assert sent(*reversed(BASIC), build=build) == [basic("me", "hunter2-password")] * 2
    odd = ("handle-option username=mé", "handle-option password=pä: ß")
    assert sent(*odd, build=build) == [basic("mé", "pä: ß")] * 2
    assert sent(build=build) == [""] * 2


def test_username_without_password_is_not_sent() -> None:
    assert sent("handle-option username=me") == [""] * 2
    assert sent("handle-option password=hunter2") == [""] * 2
    assert sent("handle-option username=me", *BEARER) == ["Bearer hunter2-token"] * 2


def test_empty_option_unsets_it() -> None:
    assert sent(*BEARER, "handle-option bearer_token=") == [""] * 2
    assert sent(*BASIC, "handle-option password=") == [""] * 2
    assert sent("handle-option workspace=w", "handle-option workspace=", name="X-MLFLOW-WORKSPACE") == [""] * 2
    agent = sent(name="User-Agent")
    assert sent("handle-option user_agent=mine/1", "handle-option user_agent=", name="User-Agent") == agent


def test_auth_header_option_moves_credentials_to_another_header() -> None:
    """MLflow's tracking server reads it first, so that a proxy before the server can use the usual one."""
    option = "handle-option auth_header=X-MLflow-Authorization"
    for credentials, value in ((BEARER, "Bearer hunter2-token"), (BASIC, basic("me", "hunter2-password"))):
        assert sent(option, *credentials, name="X-MLflow-Authorization") == [value] * 2
        assert sent(option, *credentials) == [""] * 2
    both = (option, *BEARER, "handle-header Authorization=Basic for-the-proxy")
    assert sent(*both) == ["Basic for-the-proxy"] * 2
    assert sent(*both, name="X-MLflow-Authorization") == ["Bearer hunter2-token"] * 2
    assert sent(option, *BEARER, "handle-option auth_header=Authorization") == ["Bearer hunter2-token"] * 2


def test_workspace_option_is_sent_as_header() -> None:
    assert sent("handle-option workspace=team-a", name="X-MLFLOW-WORKSPACE") == ["team-a"] * 2
    assert sent(name="X-MLFLOW-WORKSPACE") == [""] * 2


def test_user_agent_option_precedes_the_librarys_own() -> None:
    ours = sent(name="User-Agent")
    assert ours[0] == ours[1] and ours[0].startswith("mlflow-ai-gateway/")
    assert sent("handle-option user_agent=mine/1 (é)", name="User-Agent")[0].endswith(f" {ours[0]}")
    assert sent("handle-option user_agent=mine/1", name="User-Agent") == [f"mine/1 {ours[0]}"] * 2


# Precedence


def test_header_takes_precedence_over_basic_and_basic_over_token() -> None:
    by_hand = "handle-header authorization=Token by-hand"
    assert sent(*BEARER, *BASIC) == [basic("me", "hunter2-password")] * 2
    assert sent(*BASIC, *BEARER) == [basic("me", "hunter2-password")] * 2
    assert sent(*BASIC, *BEARER, by_hand) == ["Token by-hand"] * 2
    assert sent(by_hand, *BASIC, *BEARER) == ["Token by-hand"] * 2
    of_request = sent(*BASIC, by_hand, "header AUTHORIZATION=Token of-the-request")
    assert of_request[1] == "Token of-the-request"


def test_next_request_uses_the_handles_credentials_again() -> None:
    with chat_gateway() as gateway:
        perform_all(
            gateway.url, *BEARER, "prompt hi", "header Authorization=Token once", "send", "again", "prompt hi", "send",
            "handle-option bearer_token=another-token", "send", "handle-option bearer_token=", "send",
        )  # fmt: skip
    posts = [header(request, "Authorization") for request in gateway.requests if request.method == "POST"]
    assert posts == ["Token once", "Bearer hunter2-token", "Bearer another-token", ""]


PAIR = {"MLFLOW_TRACKING_USERNAME": "env-user", "MLFLOW_TRACKING_PASSWORD": "env-password"}
TOKEN = {"MLFLOW_TRACKING_TOKEN": "env-token"}


def test_options_take_precedence_over_the_environment() -> None:
    """Setting one kind of credentials discards the other kinds found in the environment."""
    assert sent(env={**PAIR, **TOKEN}) == [basic("env-user", "env-password")] * 2
    assert sent(*BEARER, env=TOKEN) == ["Bearer hunter2-token"] * 2
    assert sent(*BEARER, env=PAIR) == ["Bearer hunter2-token"] * 2
    assert sent(*BASIC, env=TOKEN) == [basic("me", "hunter2-password")] * 2
    assert sent(*BASIC, env=PAIR) == [basic("me", "hunter2-password")] * 2
    assert sent("handle-option password=mine", env=PAIR) == [basic("env-user", "mine")] * 2
    assert sent("handle-header Authorization=Token by-hand", env={**PAIR, **TOKEN}) == ["Token by-hand"] * 2


def test_unset_option_also_discards_credentials_of_the_environment() -> None:
    assert sent("handle-option bearer_token=", env=TOKEN) == [""] * 2


def test_every_request_carries_credentials() -> None:
    commands = (*BEARER, "handle-option dialect=deployments", "handle-option workspace=w", "prompt hi")
    with chat_gateway() as gateway:
        perform_all(gateway.url, *commands, *EVERY_OPERATION, "health", "handle-option dialect=auto", "send")
        assert len(gateway.requests) > 8
        for request in gateway.requests:
            assert header(request, "Authorization") == "Bearer hunter2-token", request
            assert header(request, "X-MLFLOW-WORKSPACE") == "w", request


def test_changed_credentials_apply_to_later_calls_on_kept_connections() -> None:
    """The connection is kept: it has no credentials of its own."""
    with chat_gateway() as gateway:
        names = [f"token-{number}" for number in range(20)]
        commands = [command for name in names for command in (f"handle-option bearer_token={name}", "send")]
        perform_all(gateway.url, "prompt hi", *commands)
        posts = [header(request, "Authorization") for request in gateway.requests if request.method == "POST"]
        assert posts == [f"Bearer {name}" for name in names]
        assert gateway.connections == 1


# Connections that others can read


CREDENTIALS = {
    "token": BEARER,
    "pair": BASIC,
    "header": ("handle-header Authorization=Bearer hunter2-header",),
    "header of the request": ("header Authorization=Bearer hunter2-header",),
    "other header": ("handle-option auth_header=X-MLflow-Authorization", *BEARER),
    "other header by hand": ("handle-header X-MLflow-Authorization=Bearer hunter2-header",),
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_credentials_are_not_sent_over_http_to_another_host(kind: str) -> None:
    """Not even the host name is resolved."""
    commands = (*CREDENTIALS[kind], "prompt hi")
    outcome = perform(f"http://{NOWHERE}", *commands, "send")
    assert outcome.status == "INSECURE_AUTH", outcome
    assert outcome.error_attempts == 0 and outcome.error_http_status == 0
    assert "https://" in outcome.message and "allow_insecure_auth" in outcome.message
    assert "hunter2" not in outcome.message
    allowed = perform(f"http://{NOWHERE}", "handle-option allow_insecure_auth=true", *commands, "send")
    assert allowed.status == "RESOLVE_FAILED", allowed
    again = ("handle-option allow_insecure_auth=true", "handle-option allow_insecure_auth=false")
    assert perform(f"http://{NOWHERE}", *again, *commands, "send").status == "INSECURE_AUTH"
    assert perform(f"https://{NOWHERE}", *commands, "send").status == "RESOLVE_FAILED"


CLIENT = {"DATABRICKS_CLIENT_ID": "i", "DATABRICKS_CLIENT_SECRET": "hunter2"}


@pytest.mark.parametrize("env", [TOKEN, PAIR, {"DATABRICKS_TOKEN": "hunter2"}, CLIENT], ids=lambda env: next(iter(env)))
def test_credentials_of_the_environment_are_not_sent_over_http(env: dict[str, str]) -> None:
    is_databricks = "DATABRICKS" in next(iter(env))
    uri = "databricks" if is_databricks else f"http://{NOWHERE}"
    outcome = perform(uri, "prompt hi", "send", env={**env, "DATABRICKS_HOST": f"http://{NOWHERE}"})
    assert outcome.status == "INSECURE_AUTH" and "hunter2" not in outcome.message, outcome


@pytest.mark.parametrize("operation", [*EVERY_OPERATION, "health"])
def test_no_function_sends_credentials_over_http(operation: str) -> None:
    outcome = perform(f"http://{NOWHERE}", *BEARER, "prompt hi", operation)
    assert outcome.status == "INSECURE_AUTH", outcome
    assert perform(f"http://{NOWHERE}", "prompt hi", operation).status == "RESOLVE_FAILED", (
        "it is sent without credentials"
    )


def test_concurrent_embeddings_do_not_send_credentials_over_http() -> None:
    outcome = perform(f"http://{NOWHERE}", *BEARER, "inputs 50", "option embed_concurrency=4", "embed")
    assert outcome.status == "INSECURE_AUTH", outcome


def test_headers_without_secrets_may_be_sent_over_http() -> None:
    plain = ("handle-option workspace=w", "handle-option user_agent=mine/1", "handle-header X-Trace=1")
    assert perform(f"http://{NOWHERE}", *plain, "prompt hi", "send").status == "RESOLVE_FAILED"
    half = "handle-option username=me"
    assert perform(f"http://{NOWHERE}", half, "prompt hi", "send").status == "RESOLVE_FAILED"


@pytest.mark.parametrize("host", [HOST, "localhost", "LOCALHOST", "[::1]", "127.9.8.7"])
def test_credentials_may_be_sent_over_http_to_loopback(host: str) -> None:
    with refused_port() as port:
        outcome = perform(f"http://{host}:{port}", *BEARER, "prompt hi", "send")
        assert outcome.status == "CONNECT_FAILED", outcome


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1.invalid", "localhost.invalid", "notlocalhost.invalid", "0.0.0.0", "10.0.0.1", "192.0.2.1",
        "[::2]", "[2001:db8::1]", "[::ffff:192.0.2.1]", "128.0.0.1", "1270.0.1.invalid",
    ],
)  # fmt: skip
def test_host_that_only_resembles_loopback_gets_no_credentials(host: str) -> None:
    outcome = perform(f"http://{host}:1", "handle-option timeout_ms=2000", *BEARER, "prompt hi", "send")
    assert outcome.status == "INSECURE_AUTH", outcome


def test_credentials_are_not_sent_over_http_through_a_remote_proxy() -> None:
    """The proxy can read everything."""
    with forwarding() as proxy:
        here = {"http_proxy": proxy.url}
        outcome = perform(f"http://{NOWHERE}", *BEARER, "prompt hi", "send", env=here)
        assert outcome.status == "INSECURE_AUTH", outcome
        assert (proxy.requests, proxy.connections) == ([], 0)
        away = perform(f"http://{HOST}:1", *BEARER, f"handle-option proxy=http://{NOWHERE}:1", "prompt hi", "send")
        assert away.status == "INSECURE_AUTH", away
        both_here = perform(f"http://{HOST}:1", *BEARER, "prompt hi", "send", env=here)
        assert both_here.status == "OK", both_here


def test_redirect_to_another_server_is_not_followed_with_credentials() -> None:
    with chat_gateway() as other:

        def away(handler: Handler, request: Request) -> None:
            handler.respond(307, "", {"Location": f"{other.url}{request.path}"})

        with ScriptedGateway(away) as gateway:
            outcomes = perform_all(gateway.url, *BEARER, "prompt hi", *EVERY_OPERATION)
        assert other.requests == []
        assert not [outcome for outcome in outcomes if outcome.status == "OK"]


# Proxies


def forwarding() -> ScriptedGateway:
    """A proxy that responds in place of the gateway; request targets are absolute URLs."""

    def script(handler: Handler, request: Request) -> None:
        assert request.path.startswith("http://"), request.path
        path = "/" + request.path.split("/", 3)[3]
        if request.method == "POST":
            handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})
        else:
            is_route = path.endswith("/api/2.0/endpoints/r")
            handler.respond(200 if is_route else 404, CHAT_ROUTE if is_route else NOT_FOUND)

    return ScriptedGateway(script)


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_proxy_option_is_used_for_all_requests(build: Build) -> None:
    with forwarding() as proxy:
        option = f"handle-option proxy=http://user:hunter2@{HOST}:{proxy.port}"
        outcomes = perform_all(f"http://{HOST}:1/mount", option, *BEARER, "prompt hi", "send", "send", build=build)
        assert [outcome.status for outcome in outcomes] == ["OK", "OK"], outcomes
        assert proxy.paths()[-1] == f"POST http://{HOST}:1/mount/endpoints/r/invocations"
        for request in proxy.requests:
            assert header(request, "Proxy-Authorization") == basic("user", "hunter2")
            assert header(request, "Authorization") == "Bearer hunter2-token"
            assert header(request, "Host") == f"{HOST}:1"
        assert proxy.connections == 1, "one connection to it serves all requests"


def test_proxy_none_ignores_the_environment() -> None:
    with chat_gateway() as gateway, forwarding() as proxy:
        outcome = perform(gateway.url, "handle-option proxy=none", "prompt hi", "send", env={"http_proxy": proxy.url})
        assert outcome.status == "OK" and proxy.requests == []
        back = ("handle-option proxy=none", "handle-option proxy=")
        assert perform(gateway.url, *back, "prompt hi", "send", env={"http_proxy": proxy.url}).status == "OK"
        assert len(proxy.requests) == 2, 'an empty option restores the environment'


def test_proxy_option_takes_precedence_over_the_environment() -> None:
    with forwarding() as proxy, refused_port() as port:
        option = f"handle-option proxy={proxy.url}"
        wrong = f"http://{HOST}:{port}"
        assert perform(f"http://{HOST}:1", option, "prompt hi", "send", env={"http_proxy": wrong}).status == "OK"
        unusable = {"http_proxy": "gopher://x"}
        assert perform(f"http://{HOST}:1", option, "prompt hi", "send", env=unusable).status == "OK"


@pytest.mark.parametrize(
    ("written", "user", "password"),
    [
        ("us%40er:p%3Aw%2Fd%25", "us@er", "p:w/d%"), ("us%C3%A9r:p", "usér", "p"), ("user", "user", ""),
        ("user:", "user", ""),
    ],
)
def test_percent_encoded_proxy_credentials_are_decoded(written: str, user: str, password: str) -> None:
    with forwarding() as proxy:
        url = f"http://{written}@{HOST}:{proxy.port}"
        for commands, env in (((f"handle-option proxy={url}",), {}), ((), {"http_proxy": url})):
            assert perform(f"http://{HOST}:1", *commands, "prompt hi", "send", env=env).status == "OK"
            assert header(proxy.requests[-1], "Proxy-Authorization") == basic(user, password)


def test_proxy_authentication_failure_is_proxy_failed_and_masked() -> None:
    with ScriptedGateway(lambda handler, request: handler.respond(407, "who are you?")) as proxy:
        option = f"handle-option proxy=http://user:hunter2-proxy@{HOST}:{proxy.port}"
        outcome = perform(f"http://{HOST}:1", option, "prompt hi", "send")
        assert outcome.status == "PROXY_FAILED" and "407" in outcome.message, outcome
        assert "hunter2" not in outcome.message


@contextlib.contextmanager
def tunnelling(onward: int) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that connects every tunnel to one port, and the request heads that it received."""
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        heads.append(head)
        target = socket.create_connection((HOST, onward))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for source, sink in ((connection, target), (target, connection)):
            threading.Thread(target=pass_on, args=(source, sink), daemon=True).start()

    def pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    with listening(serve) as port:
        yield port, heads


def test_proxy_and_gateway_each_receive_only_their_own_credentials(tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)

    def chat(handler: Handler, request: Request) -> None:
        handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})

    with ScriptedGateway(one_route(chat, CHAT_ROUTE), context) as gateway, tunnelling(gateway.port) as (port, heads):
        options = (f"handle-option ca_file={tmp_path}/ca.pem", f"handle-option proxy=http://user:hunter2@{HOST}:{port}")
        outcomes = perform_all(gateway.url, *options, *BEARER, "prompt hi", "send", "list")
        assert outcomes[0].status == "OK", outcomes[0]
        assert heads and all(head.startswith(f"CONNECT {HOST}:{gateway.port} ".encode()) for head in heads)
        expected = f"proxy-authorization: {basic('user', 'hunter2')}".lower().encode()
        assert all(expected in head.lower() for head in heads)
        assert not any(b"hunter2-token" in head or b"Bearer" in head for head in heads)
        assert not [request for request in gateway.requests if header(request, "Proxy-Authorization")]
        assert {header(request, "Authorization") for request in gateway.requests} == {"Bearer hunter2-token"}


# Invalid options


def refusal(*commands: str) -> str:
    """Returns why the library rejects the last command, a setting."""
    done = SHARED.run("operations.c", input="".join(f"{line}\n" for line in ("route r", f"uri http://{HOST}:1", *commands)))
    assert done.returncode == 1, "the setting was accepted"
    return done.stderr


@pytest.mark.parametrize(
    ("option", "phrase"),
    [
        ("bearer_token=hunter2\\r\\nX-B: c", "bearer_token"),
        ("password=hunter2\\n", "password"),
        ("username=me:hunter2", "colon"),
        ("auth_header=Cookie", "X-MLflow-Authorization"),
        ("allow_insecure_auth=yes", "true, false"),
        ("workspace=a\\nb", "workspace"),
        ("user_agent=a\\nb", "user_agent"),
        ("proxy=socks5://user:hunter2@h:1", "only HTTP proxies"),
        ("proxy=http://user:hunter2@", "proxy"),
        ("proxy=http://user:hunter2@h:99999", "proxy"),
        ("proxy=user:hunter2@h:port", "proxy"),
        ("client_secret=hunter2\\r", "client_secret"),
    ],
)
def test_invalid_option_value_is_rejected_without_repeating_it(option: str, phrase: str) -> None:
    error = refusal(f"handle-option {option}")
    assert "MLFLOW_GATEWAY_INVALID_OPTION_VALUE" in error and phrase in error, error
    assert "hunter2" not in error


def test_credential_options_are_unknown_for_requests() -> None:
    for name in ("bearer_token", "username", "password", "client_id", "client_secret", "proxy", "workspace"):
        error = refusal(f"option {name}=x")
        assert "MLFLOW_GATEWAY_UNKNOWN_OPTION" in error and name in error


@pytest.mark.parametrize("operation", ["bearer_token", "username", "password"])
def test_overlong_credentials_are_rejected(operation: str) -> None:
    assert "MLFLOW_GATEWAY_INVALID_OPTION_VALUE" in refusal(f"handle-option {operation}={'x' * 10_000}")


def test_uri_with_credentials_is_rejected_without_repeating_them() -> None:
    done = SHARED.run("operations.c", input="route r\nuri http://me:hunter2@127.0.0.1:1\n")
    assert "MLFLOW_GATEWAY_INVALID_URI" in done.stderr and "hunter2" not in done.stderr
