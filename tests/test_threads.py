"""Many threads on one handle, with setters beside them: every answer belongs to its question."""

import pytest
from builds import ADDRESS, ALL, SHARED, STATIC, VALGRIND, Build
from conftest import RealGateway
from scripted_gateway import ScriptedGateway, answering, echo

CALLS = {SHARED.name: 1000, STATIC.name: 100, ADDRESS.name: 100, VALGRIND.name: 20}


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_sixteen_threads_share_a_handle(build: Build) -> None:
    calls = CALLS[build.name]
    with ScriptedGateway(answering(echo)) as gateway:
        done = build.run("test_threads.c", gateway.url, "r", "16", str(calls))
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{16 * calls} right answers\n"
        asked = [request for request in gateway.requests if request.method == "GET"]
        assert len(asked) == 1, "the server is asked once which dialect it speaks"
        assert len(gateway.requests) == 16 * calls + 1
        for request in gateway.requests[1:]:
            assert request.json().get("stop") in (None, ["never said"]), "settings are never seen half changed"


def test_sixteen_threads_ask_a_real_gateway(real_gateway: RealGateway) -> None:
    for route in ("completions", "chat"):
        done = SHARED.run("test_threads.c", real_gateway.url, route, "16", "10")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "160 right answers\n"
