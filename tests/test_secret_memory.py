"""Secrets are wiped from the memory of the process when the library no longer needs them."""

import json
import random
import ssl
import string
from pathlib import Path
from typing import Optional

import pytest
import trustme
from support.builds import PLAIN, SHARED, Build
from support.databricks_workspace import ENDPOINTS, TOKEN, WELL_KNOWN, entry, external
from support.event_streams import chunk, events, send_stream
from support.scripted_gateway import CHAT_ROUTE, HOST, NOT_FOUND, Handler, Request, ScriptedGateway

SOURCES = [
    "token", "password", "header", "header of the request", "client", "proxy", "variable", "proxy variable", "file",
    "profile",
]  # fmt: skip
WORKSPACES_ROUTE = entry("r", "llm/v1/chat", external("openai", "gpt", "llm/v1/chat"))
BOUND_AT_START = "-Wl,-z,now"
"""With lazy binding, the dynamic loader saves the vector registers to the stack at the first call of a function. With
AVX-512 these are large enough to contain pieces of a secret that memcpy() has just moved. The library is linked without
lazy binding; this flag does the same for the program."""
LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits


def secret_of(number: int) -> str:
    """Returns the secret that tests/c/test_secret_memory.c derives from a number."""
    letters = []
    for _ in range(64):
        number = (number * 1664525 + 1013904223) % 2**32
        letters.append(LETTERS[(number >> 24) % 62])
    return "".join(letters)


def serving(number: int, tls: Optional[ssl.SSLContext]) -> ScriptedGateway:
    """Acts as gateway, workspace and proxy, and accepts any credentials."""

    def script(handler: Handler, request: Request) -> None:
        path = "/" + request.path.split("/", 3)[3] if request.path.startswith("http") else request.path
        if path == WELL_KNOWN:
            handler.respond(200, {"token_endpoint": gateway.url + TOKEN})
        elif path == TOKEN:
            token = {"access_token": secret_of(number + 1), "token_type": "Bearer", "expires_in": 3600}
            handler.respond(200, token)
        elif request.method == "POST" and json.loads(request.body).get("stream"):
            send_stream(handler, events(chunk("hi"), chunk(None, finish_reason="stop"), "[DONE]"))
        elif request.method == "POST":
            handler.respond(200, {"choices": [{"message": {"role": "assistant", "content": "x"}}]})
        elif path in ("/api/2.0/endpoints/", "/api/2.0/endpoints/r"):
            handler.respond(200, CHAT_ROUTE if path.endswith("r") else {"endpoints": [CHAT_ROUTE]})
        elif path in (ENDPOINTS, f"{ENDPOINTS}/r"):
            handler.respond(200, WORKSPACES_ROUTE if path.endswith("r") else {"endpoints": [WORKSPACES_ROUTE]})
        else:
            handler.respond(404, NOT_FOUND)

    gateway = ScriptedGateway(script, tls)
    return gateway


def bound_at_start(build: Build) -> Build:
    return build._replace(name=f"{build.name}-bound-at-start", link=[*build.link, BOUND_AT_START])


def count_traces(
    source: str, home: Path, build: Build, tls: Optional[ssl.SSLContext] = None
) -> tuple[int, int, int, str]:
    """Returns the pieces of the secret in memory before, during and after the life of the handle, and their places."""
    number = random.randrange(2**31)
    with serving(number, tls) as gateway:
        uri = f"http://{HOST}:1" if "proxy" in source else gateway.url
        arguments = (source, uri, str(number), f"{HOST}:{gateway.port}")
        environment = {"HOME": str(home), "REQUESTS_CA_BUNDLE": str(home / "ca.pem")}
        done = bound_at_start(build).run("test_secret_memory.c", *arguments, environment=environment)
        sent = [value for request in gateway.requests for value in request.headers.values()]
    assert done.returncode == 0, done.stderr
    secret, encoded = secret_of(number), secret_of(number + 1)
    if source in ("token", "header", "header of the request", "variable", "profile", "replaced token"):
        assert f"Bearer {secret}" in sent, "the library used the secret"
    elif source == "client":
        assert f"Bearer {encoded}" in sent
    else:
        assert any(value.startswith("Basic ") for value in sent)
    before, alive, after = map(int, done.stdout.split())
    return before, alive, after, done.stderr


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
@pytest.mark.parametrize("source", [*SOURCES, "replaced token"])
def test_secrets_are_wiped_from_memory(source: str, build: Build, tmp_path: Path) -> None:
    before, alive, after, where = count_traces(source, tmp_path, build)
    assert before == 0, f"the program itself contains it:\n{where}"
    assert after == 0, where
    if source not in ("header of the request", "replaced token"):
        assert alive > 0, "the search finds the secret while it is in use"


@pytest.mark.parametrize("source", ["token", "password", "header", "header of the request"])
def test_secrets_sent_over_tls_are_wiped_from_memory(source: str, tmp_path: Path) -> None:
    """This holds for secrets sent. Of received ones (an OAuth token) rustls keeps parts in its own buffers."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    before, _, after, where = count_traces(source, tmp_path, SHARED, context)
    assert (before, after) == (0, 0), where
