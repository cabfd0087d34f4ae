"""Secrets: masked in all output after every failure, and never sent to other servers.

Each source of a secret is combined with each failure. All output of the library is searched for the secret: messages,
codes, error bodies, the log, and identifying parameters. (Contents of successful responses belong to the user and are
not masked.) All requests to other servers are searched, too.
"""

import base64
import json
import secrets
import ssl
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme
from support.builds import CHECKED, SHARED, Build
from support.databricks_workspace import TOKEN, Workspace, header, profile
from support.event_streams import chunk, events, send_stream
from support.operations import OPERATIONS
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    NOT_FOUND,
    Handler,
    Request,
    Script,
    ScriptedGateway,
    refused_port,
)
from support.timing import three_attempts

EVERY_OPERATION = (
    "send", "stream", "callback", "list", "get-route", "get-route other", "health", "get-limits", "set-limits r=[]",
    "create-route {}", "delete-route r", "identify", "again", "path POST /raw", "body {}", "send", "stream",
)  # fmt: skip


class Source(NamedTuple):
    """A source of a secret: commands, variables and files with a placeholder for it."""

    commands: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    files: dict[str, str] = {}
    uri: str = ""
    """The gateway URI, if it differs from the URL of the server."""


PROXY = "http://user:{secret}@{proxy}"
SOURCES: dict[str, Source] = {
    "token": Source(("handle-option bearer_token={secret}",)),
    "password": Source(("handle-option username=me", "handle-option password={secret}")),
    "header": Source(("handle-header Authorization=Bearer {secret}",)),
    "other header": Source(("handle-header X-Api-Key={secret}",)),
    "header of the request": Source(("header Authorization=Token {secret}",)),
    "in MLflow's header": Source(
        ("handle-option auth_header=X-MLflow-Authorization", "handle-option bearer_token={secret}")
    ),
    "taken back": Source(("handle-option bearer_token={secret}", "handle-option bearer_token=")),
    "proxy": Source(("handle-option proxy=" + PROXY,)),
    "proxy of the environment": Source((), {"http_proxy": PROXY, "https_proxy": PROXY}),
    "MLFLOW_TRACKING_TOKEN": Source((), {"MLFLOW_TRACKING_TOKEN": "{secret}"}),
    "MLFLOW_TRACKING_PASSWORD": Source((), {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "{secret}"}),
    "file of credentials": Source(
        (), {}, {".mlflow/credentials": "[mlflow]\nmlflow_tracking_username=me\nmlflow_tracking_password={secret}\n"}
    ),
    "DATABRICKS_TOKEN": Source((), {"DATABRICKS_HOST": "{url}", "DATABRICKS_TOKEN": "{secret}"}, {}, "databricks"),
    "DATABRICKS_CLIENT_SECRET": Source(
        (),
        {"DATABRICKS_HOST": "{url}", "DATABRICKS_CLIENT_ID": "i", "DATABRICKS_CLIENT_SECRET": "{secret}"},
        {},
        "databricks",
    ),
    "profile": Source((), {}, {".databrickscfg": profile("p", host="{url}", token="{secret}")}, "databricks://p"),
    "OPENAI_API_KEY": Source((), {"OPENAI_BASE_URL": "{url}", "OPENAI_API_KEY": "{secret}"}, {}, "openai"),
    "client by option": Source(("handle-option client_id=i", "handle-option client_secret={secret}")),
}  # fmt: skip


def received_secrets(request: Request) -> str:
    """Returns the secrets that a server receives: the headers, and the decoded credentials."""
    parts = [f"{name}: {value}" for name, value in request.headers.items()]
    for name in ("Authorization", "X-MLflow-Authorization", "Proxy-Authorization"):
        scheme, _, encoded = header(request, name).partition(" ")
        parts.append(encoded)
        if scheme == "Basic":
            pair = base64.b64decode(encoded).decode()
            parts += [pair, pair.split(":", 1)[1]]
    return " ".join(parts)


def cut_stream(handler: Handler, echoed: str) -> None:
    body = events(chunk(echoed), chunk("more")).encode()
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body)


def error_in_a_stream(handler: Handler, echoed: str) -> None:
    send_stream(handler, events(chunk("a"), {"error": {"message": echoed, "type": echoed}}))


def list_routes(handler: Handler, echoed: str) -> None:
    """Lists routes named like the received secrets, and no other route."""
    if handler.path.split("?")[0].endswith("/api/2.0/endpoints/"):
        handler.respond(200, {"endpoints": [{**CHAT_ROUTE, "name": name} for name in echoed.split()]})
    else:
        handler.respond(404, {"detail": "The endpoint 'r' is not present or active on the server."})


def redirect_to_a_path(handler: Handler, echoed: str) -> None:
    quoted = urllib.parse.quote(echoed)
    handler.respond(302, "", {"Location": f"/login/{quoted}?x={quoted}"})


def redirect_to_a_user(handler: Handler, echoed: str) -> None:
    handler.respond(302, "", {"Location": f"https://u:{urllib.parse.quote(echoed)}@h/"})


def respond_nested(handler: Handler, echoed: str) -> None:
    handler.respond(400, {"detail": {"error": {"message": echoed, "type": echoed, "code": echoed}}})


def respond_raw(handler: Handler, before: bytes, echoed: str) -> None:
    handler.raw(before + echoed.encode() + b"\r\n\r\n")


Fault = Callable[[Handler, str], None]

FAULTS: dict[str, Fault] = {
    "401": lambda handler, echoed: handler.respond(401, {"detail": f"no: {echoed}"}),
    "403": lambda handler, echoed: handler.respond(403, {"error_code": echoed, "message": echoed}),
    "400 nested": respond_nested,
    "422": lambda handler, echoed: handler.respond(422, {"detail": [{"loc": [echoed], "msg": echoed}]}),
    "429": lambda handler, echoed: handler.respond(429, {"error": echoed}, {"Retry-After": echoed}),
    "headers": lambda handler, echoed: handler.respond(
        401, "no", {"X-Echo": echoed, "Location": f"/{echoed}", "Set-Cookie": echoed}
    ),
    "headers of a success": lambda handler, echoed: handler.respond(200, "no", {"X-Echo": urllib.parse.quote(echoed)}),
    "500 text": lambda handler, echoed: handler.respond(500, echoed),
    "500 long text": lambda handler, echoed: handler.respond(500, "x" * 180 + echoed * 9),
    "500 cut text": lambda handler, echoed: handler.respond(500, "x" * 65_500 + echoed),
    "502 page": lambda handler, echoed: handler.respond(502, f"<html><title>{echoed}</title></html>"),
    "404": lambda handler, echoed: handler.respond(404, {"detail": f"Not Found {echoed}"}),
    "405": lambda handler, echoed: handler.respond(405, {"detail": echoed}),
    "407": lambda handler, echoed: handler.respond(407, echoed),
    "501": lambda handler, echoed: handler.respond(501, {"detail": echoed}),
    "302": redirect_to_a_path,
    "302 to a user": redirect_to_a_user,
    "wrong JSON": lambda handler, echoed: handler.respond(200, {"status": echoed}),
    "other JSON": lambda handler, echoed: handler.respond(200, {echoed: 1, "choices": echoed}),
    "cut JSON": lambda handler, echoed: handler.respond(200, json.dumps({"choices": echoed})[:-3]),
    "no JSON": lambda handler, echoed: handler.respond(200, echoed),
    "a page": lambda handler, echoed: handler.respond(200, f"<!doctype html><title>{echoed}</title>"),
    "no candidates": lambda handler, echoed: handler.respond(200, {"choices": [], "x": echoed}),
    "error in a stream": error_in_a_stream,
    "a stream that breaks off": cut_stream,
    "names of routes": list_routes,
    "no HTTP": lambda handler, echoed: respond_raw(handler, b"", echoed),
    "wrong head": lambda handler, echoed: respond_raw(handler, b"HTTP/1.1 200 OK\r\n", echoed),
    "wrong length": lambda handler, echoed: respond_raw(handler, b"HTTP/1.1 200 OK\r\nContent-Length: ", echoed),
    "wrong status": lambda handler, echoed: respond_raw(handler, b"HTTP/1.1 2OO ", echoed),
    "cut": lambda handler, echoed: respond_raw(handler, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", echoed),
    "reset": lambda handler, echoed: handler.reset(),
    "silent": lambda handler, echoed: handler.stall(),
}


def failing(fault: str) -> Script:
    return lambda handler, request: FAULTS[fault](handler, received_secrets(request))


def new_secret() -> str:
    """Returns a random secret, no part of which occurs in other text."""
    return f"S{secrets.token_hex(20)}"


def forms(secret: str) -> list[str]:
    """Returns the pieces that would reveal a secret: any eight characters of it, plain or in Basic credentials."""
    encoded = [base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("me", "user", "i")]
    # The first characters encode the username.
    texts = [secret, *(text[8:].rstrip("=") for text in encoded)]
    return [text[at : at + 8] for text in texts for at in range(len(text) - 7)]


def found_in(text: str, secret: str) -> list[str]:
    return [form for form in forms(secret) if form in text]


HEADERS = ("X-Echo", "Location", "Set-Cookie", "WWW-Authenticate", "Retry-After")

CONTENT_FIELDS = ("response", "events", "routes", "embeddings")


def printed_text(output: str) -> str:
    """Returns the output of the library, decoded from JSON, without contents of responses."""
    plain = []
    for line in output.splitlines():
        outcome = json.loads(line)
        if "gateway_uri" not in outcome.get("result", ""):
            outcome.pop("result", None)
        plain.append(
            json.dumps({key: outcome[key] for key in outcome if key not in CONTENT_FIELDS}, ensure_ascii=False)
        )
        plain.append(bytes.fromhex(outcome.get("error_body", "")).decode(errors="replace"))
    return "\n".join([*plain, *(urllib.parse.unquote(text) for text in plain)])


def run(
    source: Source,
    url: str,
    secret: str,
    home: Path,
    commands: tuple[str, ...] = EVERY_OPERATION,
    proxy: str = "",
    build: Build = SHARED,
) -> str:
    """Sets the secret from this source, performs all operations, and returns the output of the library."""

    def filled(text: str) -> str:
        return text.replace("{secret}", secret).replace("{url}", url).replace("{proxy}", proxy or f"{HOST}:1")

    for name, content in source.files.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(filled(content))
    lines = [
        "route r", f"uri {source.uri or url}", "log 3", "show-body", *(f"show-header {name}" for name in HEADERS),
        "handle-option timeout_ms=5000", "message user=hi",
        *(filled(command) for command in source.commands), *commands,
    ]  # fmt: skip
    environment = {"HOME": str(home), **{name: filled(value) for name, value in source.variables.items()}}
    done = build.run("operations.c", input="".join(f"{line}\n" for line in lines), environment=environment)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert len(done.stdout.splitlines()) == sum(command.split()[0] in OPERATIONS for command in commands)
    return printed_text(done.stdout)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("source", SOURCES)
@three_attempts
def test_secret_repeated_by_the_server_is_masked_everywhere(source: str, fault: str, tmp_path: Path) -> None:
    secret = new_secret()
    commands = (
        EVERY_OPERATION
        if fault != "silent"
        else ("option timeout_ms=60", "handle-option timeout_ms=60", *EVERY_OPERATION)
    )
    with ScriptedGateway(failing(fault)) as gateway:
        is_proxied = "proxy" in source
        url = f"http://{HOST}:1" if is_proxied else gateway.url
        output = run(SOURCES[source], url, secret, tmp_path, commands, f"{HOST}:{gateway.port}")
        # An unset secret is not sent, and a client secret only to a token endpoint.
        is_sent = source not in ("taken back", "DATABRICKS_CLIENT_SECRET", "client by option")
        received = "".join(received_secrets(request) for request in gateway.requests)
        assert (secret in received) == is_sent, "the server received the secret"
    assert found_in(output, secret) == []


@pytest.mark.parametrize("build", CHECKED, ids=lambda build: build.name)
def test_masking_is_memory_safe(build: Build, tmp_path: Path) -> None:
    for fault in ("403", "500 cut text", "error in a stream", "a page"):
        secret = new_secret()
        with ScriptedGateway(failing(fault)) as gateway:
            assert found_in(run(SOURCES["password"], gateway.url, secret, tmp_path, build=build), secret) == []


@pytest.mark.parametrize("source", SOURCES)
def test_connection_failure_reveals_no_secret(source: str, tmp_path: Path) -> None:
    secret = new_secret()
    with refused_port() as port:
        for host in (f"{HOST}:{port}", "no-such-host.invalid"):
            for url in (f"http://{host}", f"https://{host}"):
                assert found_in(run(SOURCES[source], url, secret, tmp_path, proxy=f"{HOST}:{port}"), secret) == []
        output = run(SOURCES[source], f"http://{HOST}:{port}", secret, tmp_path, proxy="no-such-host.invalid:1")
        assert found_in(output, secret) == []


@pytest.mark.parametrize("source", SOURCES)
def test_tls_failure_reveals_and_sends_no_secret(source: str, tmp_path: Path) -> None:
    secret = new_secret()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST).configure_cert(context)
    with ScriptedGateway(failing("401")) as plain, ScriptedGateway(failing("401"), context) as untrusted:
        for gateway in (plain, untrusted):
            url = f"https://{HOST}:{gateway.port}"
            assert found_in(run(SOURCES[source], url, secret, tmp_path, proxy=f"{HOST}:{plain.port}"), secret) == []
        received = "".join(received_secrets(request) for request in untrusted.requests)
        assert secret not in received, "nothing is sent to a server that is not trusted"


# Tokens of a service principal


def repeat_at_the_token_endpoint(workspace: Workspace, status: int) -> Script:
    """A workspace whose token endpoint repeats what it receives."""

    def script(handler: Handler, request: Request) -> None:
        if request.path == TOKEN:
            echoed = received_secrets(request) + request.body.decode()
            handler.respond(status, {"error": echoed, "error_description": echoed, "access_token": None})
        else:
            workspace._respond(handler, request)

    return script


@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_client_secret_repeated_by_the_token_endpoint_is_masked(status: int, tmp_path: Path) -> None:
    secret = new_secret()
    with Workspace() as workspace, ScriptedGateway(repeat_at_the_token_endpoint(workspace, status)) as gateway:
        workspace.token_endpoint = gateway.url + TOKEN
        output = run(SOURCES["DATABRICKS_CLIENT_SECRET"], gateway.url, secret, tmp_path)
        assert secret in "".join(received_secrets(request) for request in gateway.requests)
    assert found_in(output, secret) == []


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "silent"])
def test_access_token_repeated_by_the_server_is_masked(fault: str, tmp_path: Path) -> None:
    """This holds also for renewed tokens."""
    secret, tokens = new_secret(), [new_secret() for _ in range(100)]
    with Workspace() as workspace:
        workspace.client = ("i", secret)
        workspace.new_token = lambda: tokens[workspace.token_requests() - 1]
        workspace.invoke = lambda handler, request, name: failing(fault)(handler, request)
        output = run(SOURCES["DATABRICKS_CLIENT_SECRET"], workspace.url, secret, tmp_path)
        used = tokens[: workspace.token_requests()]
        assert used and any(used[0] in value for value in workspace.credentials("/"))
    for token in (secret, *used):
        assert found_in(output, token) == []


# Other hosts


@pytest.mark.parametrize("source", [source for source in SOURCES if source != "taken back"])
def test_redirect_sends_no_secret_to_another_host(source: str, tmp_path: Path) -> None:
    secret = new_secret()
    with ScriptedGateway(failing("401")) as other:

        def away(handler: Handler, request: Request) -> None:
            path = "/" + request.path.split("/", 3)[-1] if request.path.startswith("http") else request.path
            handler.respond(307, "", {"Location": other.url + path})

        with ScriptedGateway(away) as gateway:
            url = f"http://{HOST}:1" if "proxy" in source else gateway.url
            output = run(SOURCES[source], url, secret, tmp_path, proxy=f"{HOST}:{gateway.port}")
        assert (other.requests, other.connections) == ([], 0)
    assert found_in(output, secret) == []


@pytest.mark.parametrize("source", ["DATABRICKS_CLIENT_SECRET", "client by option"])
def test_token_endpoint_on_another_host_gets_no_request(source: str, tmp_path: Path) -> None:
    secret = new_secret()
    with Workspace() as other, Workspace() as workspace:
        workspace.token_endpoint = other.url + TOKEN
        output = run(SOURCES[source], workspace.url, secret, tmp_path)
        assert (other.requests, other.connections) == ([], 0)
        assert secret not in "".join(received_secrets(request) for request in workspace.requests)
    assert found_in(output, secret) == []


def test_route_url_on_another_host_gets_no_request(tmp_path: Path) -> None:
    """Entries of a list may contain URLs on other hosts, which are reported but not used."""
    secret = new_secret()
    with ScriptedGateway(failing("401")) as other:

        def elsewhere(handler: Handler, request: Request) -> None:
            route = {**CHAT_ROUTE, "endpoint_url": f"{other.url}/endpoints/r/invocations"}
            if request.method == "POST":
                handler.respond(200, {"choices": [{"message": {"content": "x"}}]})
            elif request.path.startswith("/api/2.0/endpoints/"):
                handler.respond(200, route if request.path.endswith("/r") else {"endpoints": [route]})
            else:
                handler.respond(404, NOT_FOUND)

        with ScriptedGateway(elsewhere) as gateway:
            output = run(SOURCES["token"], gateway.url, secret, tmp_path)
            assert any(request.method == "POST" for request in gateway.requests)
        assert (other.requests, other.connections) == ([], 0)
    assert found_in(output, secret) == []


# Rejected settings


@pytest.mark.parametrize(
    ("lines", "variables"),
    [
        (["uri http://user:{secret}@127.0.0.1:1"], {}),
        (["uri http://{secret}@127.0.0.1:1"], {}),
        (["uri http://127.0.0.1:1/?token={secret}"], {}),
        (["uri ftp://user:{secret}@127.0.0.1:1"], {}),
        (["uri user:{secret}@127.0.0.1:1"], {}),
        (["uri "], {"MLFLOW_GATEWAY_URI": "http://user:{secret}@127.0.0.1:1"}),
        (["uri databricks"], {"DATABRICKS_HOST": "http://user:{secret}@127.0.0.1:1"}),
        (["uri databricks"], {"DATABRICKS_HOST": "https://h", "DATABRICKS_TOKEN": "{secret}\nx"}),
        (["uri http://127.0.0.1:1"], {"MLFLOW_TRACKING_TOKEN": "{secret}\nx"}),
        (["uri http://127.0.0.1:1"], {"MLFLOW_TRACKING_USERNAME": "me:{secret}"}),
        (["uri "], {"MLFLOW_TRACKING_URI": "http://user:{secret}@127.0.0.1:1"}),
        (["uri openai"], {"OPENAI_BASE_URL": "http://user:{secret}@127.0.0.1:1/v1"}),
        (["uri openai"], {"OPENAI_API_KEY": "{secret}\nx"}),
        (["uri http://127.0.0.1:1", "handle-option bearer_token={secret}\\n"], {}),
        (["uri http://127.0.0.1:1", "handle-option password={secret}\\r"], {}),
        (["uri http://127.0.0.1:1", "handle-option username={secret}:x"], {}),
        (["uri http://127.0.0.1:1", "handle-option proxy=socks5://user:{secret}@h"], {}),
        (["uri http://127.0.0.1:1", "handle-option proxy=http://user:{secret}@h:port"], {}),
        (["uri http://127.0.0.1:1", "handle-option proxy=user:{secret}"], {}),
        (["uri http://127.0.0.1:1", "handle-option auth_header={secret}"], {}),
        (["uri http://127.0.0.1:1", "handle-header X-A={secret}\\n"], {}),
        (["uri http://127.0.0.1:1", "handle-header X A:{secret}=x"], {}),
        (["uri http://127.0.0.1:1", "create-route [\"{secret}\"]"], {}),
        (["uri http://127.0.0.1:1", "create-route {\"openai_api_key\": \"{secret}\""], {}),
        (["uri http://127.0.0.1:1", "set-limits r={\"key\": \"{secret}\"}"], {}),
    ],
)
def test_rejected_setting_is_not_repeated_in_the_error(lines: list[str], variables: dict[str, str]) -> None:
    """Names of options and headers are not secrets."""
    secret = new_secret()
    filled = [line.replace("{secret}", secret) for line in ["route r", *lines]]
    environment = {name: value.replace("{secret}", secret) for name, value in variables.items()}
    done = SHARED.run("operations.c", input="".join(f"{line}\n" for line in filled), environment=environment)
    output = done.stderr + done.stdout
    assert "MLFLOW_GATEWAY_INVALID" in output or '"status": "INVALID' in output, output
    if not lines[-1].startswith(("handle-option auth_header", "handle-header X A")):
        assert found_in(output, secret) == [], output


@pytest.mark.parametrize("fault", ["400 nested", "422", "cut JSON", "reset", "500 text"])
def test_provider_key_in_a_new_route_is_not_repeated_in_the_error(fault: str, tmp_path: Path) -> None:
    """The body of such a request contains the key of a model provider."""
    secret = new_secret()
    body = json.dumps({"name": "x", "config": {"openai_api_key": secret}})
    with Workspace() as workspace:

        def reject(handler: Handler, request: Request) -> None:
            if request.method == "POST" and request.path.startswith("/api/2.0/serving-endpoints"):
                failing(fault)(handler, request)
            else:
                workspace._respond(handler, request)

        with ScriptedGateway(reject) as gateway:
            source = Source((), {"DATABRICKS_HOST": gateway.url, "DATABRICKS_TOKEN": workspace.pat}, {}, "databricks")
            output = run(source, gateway.url, "unused-secret", tmp_path, (f"create-route {body}",))
            assert secret.encode() in b"".join(request.body for request in gateway.requests)
    assert found_in(output, secret) == []


def test_search_finds_secrets_in_every_encoding() -> None:
    secret = new_secret()
    assert found_in(f"a {secret} b", secret) and found_in(secret[13:30], secret) and not found_in("a" * 99, secret)
    pair = base64.b64encode(f"me:{secret}".encode()).decode()
    assert found_in(pair, secret) and found_in(pair[20:40], secret)
    assert found_in(printed_text(json.dumps({"message": f"\u00e9 {secret}"})), secret)
    assert found_in(printed_text(json.dumps({"error_body": secret.encode().hex()})), secret)
    assert found_in(printed_text(json.dumps({"result": json.dumps({"gateway_uri": secret})})), secret)
    assert not found_in(printed_text(json.dumps({"events": secret})), secret)
