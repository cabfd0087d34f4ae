"""Real gateways, started once for all tests."""

import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from gateways import embeddings_model, mlflow_server
from gateways.mlflow_server import EMBEDDINGS, Route
from gateways.processes import Server
from gateways.scripted_upstream import ScriptedUpstream

VERSIONS = ("2.8.1", "2.22.5", "3.17.2")


class RealGateway(NamedTuple):
    """A real MLflow server, and the scripted upstream that stands for the model behind it."""

    version: str
    server: Server
    upstream: ScriptedUpstream

    @property
    def url(self) -> str:
        return self.server.url


@pytest.fixture(scope="session")
def real_model() -> Iterator[Server]:
    """A real model for embeddings, which all real gateways have as their route `e5`."""
    with embeddings_model.start() as server:
        yield server


@pytest.fixture(scope="session")
def real_gateways(real_model: Server) -> Iterator[dict[str, RealGateway]]:
    """The servers by version. Each takes seconds to start, so they start side by side."""
    gateways: dict[str, RealGateway] = {}
    failures: list[BaseException] = []

    def start(version: str) -> None:
        try:
            # The openai provider of 2.22 expects a chat's answer to a completions question, newer ones in a stream.
            upstream = ScriptedUpstream("completions" if version.startswith("2.8.") else "chat")
            e5 = Route("e5", EMBEDDINGS, real_model.url)
            server = mlflow_server.start(version, upstream.url, upstream.url, [e5])
            gateways[version] = RealGateway(version, server, upstream)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=start, args=(version,)) for version in VERSIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        if failures:
            raise failures[0]
        yield gateways
    finally:
        for gateway in gateways.values():
            gateway.server.stop()
            gateway.upstream.stop()


@pytest.fixture(params=VERSIONS)
def real_gateway(request: pytest.FixtureRequest, real_gateways: dict[str, RealGateway]) -> RealGateway:
    """Each real server in turn."""
    gateway = real_gateways[request.param]
    gateway.upstream.forget_requests()
    return gateway
