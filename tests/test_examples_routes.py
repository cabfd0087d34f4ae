"""The example routes: the routes of a gateway."""

import pytest
from support.builds import ALL, SHARED, Build
from support.real_gateways import RealGateway
from support.scripted_gateway import NOT_FOUND, Handler, Request, ScriptedGateway, refused_port

LIST = {"endpoints": [{"name": "c", "endpoint_type": "llm/v1/chat", "model": {"provider": "p"}, "endpoint_url": "/c"}]}


def routes(*arguments: str, build: Build = SHARED) -> tuple[int, str, str]:
    done = build.run("routes.c", *arguments)
    return done.returncode, done.stdout, done.stderr


def serve_list(handler: Handler, request: Request) -> None:
    found = request.path == "/api/2.0/endpoints/"
    handler.respond(200 if found else 404, LIST if found else NOT_FOUND)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_routes_lists_the_routes(build: Build) -> None:
    with ScriptedGateway(serve_list) as gateway:
        code, table, errors = routes("-v", gateway.url, build=build)
        assert (code, table.split()) == (0, ["c", "llm/v1/chat", "p", "-", f"{gateway.url}/c"])
        assert f"routes: GET {gateway.url}/api/2.0/endpoints/: HTTP status 200" in errors


def test_routes_lists_the_routes_of_a_real_gateway(real_gateway: RealGateway) -> None:
    code, table, errors = routes(real_gateway.url)
    assert (code, errors) == (0, "")
    found = {line.split()[0]: line.split()[1:4] for line in table.splitlines()}
    assert found["completions"] == ["llm/v1/completions", "openai", "smollm2"]
    assert set(found) == {"completions", "chat", "embeddings", "e5"}


def test_routes_reports_errors_with_its_exit_status() -> None:
    assert routes("-z")[0] == 2 and "usage: routes" in routes("-z")[2]
    assert routes("a", "b")[0] == 2
    for option in ("-h", "--help"):
        code, table, said = routes(option)
        assert (code, said) == (0, "") and "exit status:" in table
    with refused_port() as port:
        code, table, errors = routes(f"http://127.0.0.1:{port}")
        assert (code, table) == (1, "") and errors.startswith("routes: GET ") and "cannot connect" in errors
