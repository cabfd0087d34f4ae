"""Secrets are gone from the process's memory when nothing of the library needs them any more."""

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

WAYS = [
    "token", "password", "header", "header of the request", "client", "proxy", "variable", "proxy variable", "file",
    "profile",
]  # fmt: skip
WORKSPACES_ROUTE = entry("r", "llm/v1/chat", external("openai", "gpt", "llm/v1/chat"))
BOUND_AT_START = "-Wl,-z,now"
"""A function that is bound at its first call is bound by the dynamic loader, which saves the vector registers to the
stack before it looks the function up. With AVX-512 these are large enough to hold pieces of a secret that memcpy() has
just moved. The library itself is linked this way; here the program is, too."""
LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits


def secret_of(number: int) -> str:
    """What tests/c/test_secret_memory.c makes of a number."""
    letters = []
    for _ in range(64):
        number = (number * 1664525 + 1013904223) % 2**32
        letters.append(LETTERS[(number >> 24) % 62])
    return "".join(letters)


def serving(number: int, tls: Optional[ssl.SSLContext]) -> ScriptedGateway:
    """A gateway, a workspace, a proxy: whatever is asked of it, with whatever credentials."""

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


def traces(way: str, home: Path, build: Build, tls: Optional[ssl.SSLContext] = None) -> tuple[int, int, int, str]:
    """How many pieces of the secret there are: before, while the handle lives, and after it; and where."""
    number = random.randrange(2**31)
    with serving(number, tls) as gateway:
        uri = f"http://{HOST}:1" if "proxy" in way else gateway.url
        arguments = (way, uri, str(number), f"{HOST}:{gateway.port}")
        environment = {"HOME": str(home), "REQUESTS_CA_BUNDLE": str(home / "ca.pem")}
        done = bound_at_start(build).run("test_secret_memory.c", *arguments, environment=environment)
        sent = [value for request in gateway.requests for value in request.headers.values()]
    assert done.returncode == 0, done.stderr
    secret, encoded = secret_of(number), secret_of(number + 1)
    if way in ("token", "header", "header of the request", "variable", "profile", "replaced token"):
        assert f"Bearer {secret}" in sent, "the library had the secret"
    elif way == "client":
        assert f"Bearer {encoded}" in sent
    else:
        assert any(value.startswith("Basic ") for value in sent)
    before, alive, after = map(int, done.stdout.split())
    return before, alive, after, done.stderr


@pytest.mark.parametrize("build", PLAIN, ids=lambda build: build.name)
@pytest.mark.parametrize("way", [*WAYS, "replaced token"])
def test_secrets_are_wiped(way: str, build: Build, tmp_path: Path) -> None:
    before, alive, after, where = traces(way, tmp_path, build)
    assert before == 0, f"the program itself holds it:\n{where}"
    assert after == 0, where
    if way not in ("header of the request", "replaced token"):
        assert alive > 0, "the search finds what is there"


@pytest.mark.parametrize("way", ["token", "password", "header", "header of the request"])
def test_secrets_are_wiped_where_they_were_encrypted(way: str, tmp_path: Path) -> None:
    """All that is sent. Of what comes (an OAuth client's token) rustls keeps parts in its own buffers."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    before, _, after, where = traces(way, tmp_path, SHARED, context)
    assert (before, after) == (0, 0), where
