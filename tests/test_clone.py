"""Clones of handles: tests/c/test_clone.c."""

import pytest
from support import commanded_gateway
from support.builds import ALL, Build


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_clone_has_its_own_settings_and_shares_connections(build: Build) -> None:
    with commanded_gateway.gateway() as gateway:
        done = build.run("test_clone.c", gateway.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    discoveries = [request for request in gateway.requests if request.path.startswith("/api/2.0/endpoints/r")]
    assert gateway.connections == 1 and len(discoveries) <= 1
