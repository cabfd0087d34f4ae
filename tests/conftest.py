"""Marks and groups of tests, and fixtures of real gateways, which start once for all tests."""

import contextlib
import functools
import os
import signal
from collections.abc import Iterator
from typing import Optional

import pytest
from gateways import embeddings_model, language_model, mlflow_server
from gateways import tracking_server as tracking
from gateways.mlflow_server import EMBEDDINGS, Route
from gateways.processes import Server
from gateways.scripted_upstream import ScriptedUpstream
from gateways.together import started
from gateways.tracking_server import Endpoint
from support.builds import SHARED, Build
from support.databricks_workspace import Workspace
from support.real_gateways import ACCOUNTS, RealGateway

REAL = {
    "real_gateways": "gateways",
    "tracking_server": "tracking server",
    "tracking_server_with_auth": "tracking server with users",
    "providers": "tracking server with providers",
    "mounted": "tracking server below a path",
    "smollm2": "language model",
    "compat_results": "compat",
    "clients": "clients",
}
"""Fixtures that start real servers, and the groups of the tests that share them. pytest-xdist runs a group in one
process, so each server starts once."""
MOST_WORKERS = 8
MOST_LINES = 12

VERSIONS = ("2.8.1", "2.22.5", "3.17.2")


def pytest_configure() -> None:
    """Lets pytest shorten reports of failed tests on CI machines, too, and Ctrl-C end programs in background jobs, too."""
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)
    # Programs inherit that a shell ignores it for its background jobs.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Returns two workers per core: most tests mostly wait."""
    return min(MOST_WORKERS, 2 * len(os.sched_getaffinity(0)))


def pytest_assertrepr_compare(op: str, left: object, right: object) -> Optional[list[str]]:
    """Reports the status and stderr of a program that should have succeeded silently, instead of a diff."""
    if op != "==" or right != (0, "") or not isinstance(left, tuple):
        return None
    status, errors = left
    return [f"the program ended with status {status}, and wrote to stderr:", *errors.splitlines()[:MOST_LINES]]


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by their fixtures and builds, so that new tests are marked automatically."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in REAL:
                item.add_marker(pytest.mark.real)
                item.add_marker(pytest.mark.xdist_group(REAL[fixture]))
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        if any(isinstance(value, Build) and value is not SHARED for value in parameters):
            item.add_marker(pytest.mark.tool)


@pytest.fixture(scope="session")
def real_model() -> Iterator[Server]:
    """A real embeddings model, the route `e5` of all real gateways."""
    with embeddings_model.start() as server:
        yield server


@pytest.fixture(scope="session")
def real_gateways(real_model: Server) -> Iterator[dict[str, RealGateway]]:
    """The real gateways by version."""
    with contextlib.ExitStack() as stack:
        # The openai provider expects a chat response to a completions request: 2.22 always, newer in streams.
        shapes = {version: "completions" if version.startswith("2.8.") else "chat" for version in VERSIONS}
        upstreams = {version: stack.enter_context(ScriptedUpstream(shape)) for version, shape in shapes.items()}
        e5 = Route("e5", EMBEDDINGS, real_model.url)
        starts = {
            version: functools.partial(mlflow_server.start, version, upstream.url, upstream.url, [e5])
            for version, upstream in upstreams.items()
        }
        servers = stack.enter_context(started(starts))
        yield {version: RealGateway(version, servers[version], upstreams[version]) for version in VERSIONS}


@pytest.fixture(params=VERSIONS)
def real_gateway(request: pytest.FixtureRequest, real_gateways: dict[str, RealGateway]) -> RealGateway:
    """Each real gateway in turn."""
    gateway = real_gateways[request.param]
    gateway.upstream.forget_requests()
    return gateway


@pytest.fixture(scope="session")
def smollm2() -> Iterator[Server]:
    """The gateway of MLflow 3.17.2 in front of a real language model."""
    with language_model.start() as model, mlflow_server.start("3.17.2", model.url) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def tracking_server(real_model: Server) -> Iterator[RealGateway]:
    """The AI Gateway of the tracking server. It records traces of its endpoint `traced`."""
    with ScriptedUpstream("chat") as upstream:
        endpoints = [
            Endpoint("chat", upstream.url),
            Endpoint("embeddings", upstream.url),
            Endpoint("e5", real_model.url),
            Endpoint("traced", upstream.url, usage_tracking=True),
        ]
        with tracking.start(endpoints) as server:
            yield RealGateway(tracking.VERSION, server, upstream)


@pytest.fixture(scope="session")
def providers() -> Iterator[RealGateway]:
    """A tracking server with an endpoint of each provider with a passthrough API."""
    with ScriptedUpstream("chat") as upstream:
        endpoints = [Endpoint(name, upstream.url, provider=name) for name in ("openai", "anthropic", "gemini")]
        with tracking.start(endpoints) as server:
            yield RealGateway(tracking.VERSION, server, upstream)


@pytest.fixture(scope="session")
def tracking_server_with_auth() -> Iterator[RealGateway]:
    """A tracking server with basic authentication and the ACCOUNTS."""
    with ScriptedUpstream("chat") as upstream:
        endpoints = [Endpoint("chat", upstream.url), Endpoint("embeddings", upstream.url)]
        with tracking.start(endpoints, accounts=ACCOUNTS) as server:
            yield RealGateway(tracking.VERSION, server, upstream)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """A scripted Databricks workspace."""
    with Workspace() as running:
        yield running
