"""retry_policy=mlflow: the same requests, connections and pauses as MLflow's own Python client."""

import concurrent.futures
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from gateways.install import install
from support.builds import ROOT, clean_environment
from support.certificates import Authority
from support.faulty_gateway import (
    BUDGET,
    CUT_RESPONSES,
    NO_PAUSES,
    RETRIED,
    CuttingPort,
    Fault,
    FaultyGateway,
    raw,
    reset,
    stall,
    status,
)
from support.operations import perform
from support.scripted_gateway import (
    HOST,
    listening,
)
from support.timing import three_attempts

VERSIONS = ("2.8.1", "2.22.5", "3.17.2")

TWICE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", **NO_PAUSES}

RESPECT = "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("retries"))


class Client:
    """MLflow's own client of one version, in a process that performs calls in sequence."""

    def __init__(self, version: str, home: Path) -> None:
        self.version = version
        python = install(f"mlflow-{version}") / "bin" / "python"
        self.process = subprocess.Popen(
            [str(python), str(ROOT / "tests/gateways/mlflow_predict.py")], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env=clean_environment({"HOME": str(home)}),
        )  # fmt: skip

    def succeeds(self, url: str, environment: dict[str, str]) -> bool:
        """Performs a call, and returns whether it succeeded."""
        line = {"url": url, "route": "r", "environment": environment}
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline() == "OK\n"

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


def succeeds_as_mlflow(version: str, url: str, environment: dict[str, str], *options: str) -> bool:
    dialect = "gateway" if version == "2.8.1" else "deployments"
    options = ("handle-option retry_policy=mlflow", f"handle-option dialect={dialect}", *options)
    return perform(url, *options, "prompt hi", "send", env=environment).status == "OK"


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Client]]:
    """The clients, started in parallel."""
    home = tmp_path_factory.mktemp("clients")
    started = {version: Client(version, home) for version in VERSIONS}
    yield started
    for client in started.values():
        client.end()


SCRIPTS: dict[str, list[Fault]] = {
    **{str(number): [status(number)] for number in (*RETRIED, 400, 404, 408, 413, 501, 504)},
    "429 for a budget": [status(429, BUDGET)],
    "503 twice": [status(503), status(503)],
    "503 three times": [status(503)] * 3,
    "each once": [status(500), status(502), status(503)],
    "503, then 400": [status(503), status(400)],
    "413 with a time": [status(413, retry_after="0")],
    "501 with a time": [status(501, retry_after="0")],
    "reset": [reset],
    "closed": [raw(b"")],
    "closed three times": [raw(b"")] * 3,
    "not HTTP": [raw(b"SSH-2.0-OpenSSH_9.2\r\n")],
    "cut head": [CUT_RESPONSES["cut head"]],
    "cut body": [CUT_RESPONSES["cut body"]],
    "reset, then 503": [reset, status(503)],
}
"""Faults of the same gateway for both clients. (An invalid Retry-After ends urllib3's retries, but not ours.)"""


@pytest.mark.parametrize("version", VERSIONS)
def test_mlflow_policy_sends_the_same_requests_as_mlflows_client(clients: dict[str, Client], version: str) -> None:
    for name, faults in SCRIPTS.items():
        with FaultyGateway(*faults) as gateway:
            theirs = (clients[version].succeeds(gateway.url, TWICE), len(gateway.request_times))
        with FaultyGateway(*faults) as gateway:
            ours = (succeeds_as_mlflow(version, gateway.url, TWICE), len(gateway.request_times))
        assert ours == theirs, (name, "ours, theirs:", ours, theirs)


@pytest.mark.parametrize("version", VERSIONS)
def test_mlflow_policy_opens_as_many_connections_as_mlflows_client(
    clients: dict[str, Client], version: str, authority: Authority
) -> None:
    """The connections fail before a request is sent."""

    def both(url: str, connections: Callable[[], int], environment: dict[str, str]) -> None:
        before = connections()
        assert not clients[version].succeeds(url, {**TWICE, **environment})
        theirs = connections() - before
        assert not succeeds_as_mlflow(version, url, {**TWICE, **environment})
        ours = connections() - before - theirs
        assert ours == theirs == 3, (url, ours, theirs)

    port_cutter = CuttingPort(1, lambda _: True)
    with listening(port_cutter.talk) as port:
        both(f"https://{HOST}:{port}", lambda: port_cutter.connections, {})
    for status_line in (b"502 Bad Gateway", b"407 Who?"):
        proxy = CuttingPort(1, lambda _: True, b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status_line)
        with listening(proxy.talk) as port:
            both(f"https://{HOST}:1", lambda: proxy.connections, {"HTTPS_PROXY": f"http://{HOST}:{port}"})
    with FaultyGateway(tls=authority.server(HOST)) as gateway:
        both(gateway.url, lambda: gateway.connections, {})


class Row(NamedTuple):
    """The faults of a gateway, the environment, and the seconds between requests: minimum and maximum."""

    faults: list[Fault]
    environment: dict[str, str]
    gaps: list[tuple[float, float]]


AT_ONCE, ONE_SECOND = (0.0, 0.0), (1.0, 1.0)

JITTER = {**NO_PAUSES, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "4", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2"}

PAUSES = [
    Row([status(503)] * 2, {**TWICE, "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}, [AT_ONCE, (2.0, 2.0)]),
    Row([status(500, retry_after="1"), status(413, retry_after="1")], TWICE, [ONE_SECOND, ONE_SECOND]),
]

NEWER_PAUSES = [
    Row([status(503)] * 9, JITTER, [AT_ONCE, *[(0.0, 0.2)] * 3]),
    Row([status(503, retry_after="1")], {**TWICE, RESPECT: "false"}, [AT_ONCE]),
    Row([status(413, retry_after="1")], {**TWICE, RESPECT: "false"}, []),
]
"""MLflow 2.8.1 supports neither of these variables."""


@three_attempts
def test_mlflow_policy_pauses_as_mlflows_client(clients: dict[str, Client]) -> None:
    """The first retry is immediate; Retry-After takes precedence, after each status."""

    def check(version: str) -> None:
        for row in [*PAUSES, *([] if version == "2.8.1" else NEWER_PAUSES)]:
            with FaultyGateway(*row.faults) as theirs, FaultyGateway(*row.faults) as ours:
                client = pool.submit(clients[version].succeeds, theirs.url, row.environment)
                succeeds_as_mlflow(version, ours.url, row.environment)
                client.result()
            for client_name, gaps in (("theirs", theirs.gaps()), ("ours", ours.gaps())):
                assert len(gaps) == len(row.gaps), (version, client_name, gaps, row)
                for gap, (shortest, longest) in zip(gaps, row.gaps):
                    assert shortest - 0.01 <= gap <= longest + 0.25, (version, client_name, gaps, row)

    with concurrent.futures.ThreadPoolExecutor(2 * len(VERSIONS)) as pool:
        for done in [pool.submit(check, version) for version in VERSIONS]:
            done.result()


@three_attempts
def test_mlflow_policy_retries_a_read_timeout_as_mlflows_client(clients: dict[str, Client]) -> None:
    """It retries even if the model may still be working."""
    with FaultyGateway(stall) as theirs, FaultyGateway(stall) as ours:
        environment = {**TWICE, "MLFLOW_DEPLOYMENT_PREDICT_TIMEOUT": "1"}
        thread = threading.Thread(target=clients["3.17.2"].succeeds, args=(theirs.url, environment))
        thread.start()
        assert succeeds_as_mlflow("3.17.2", ours.url, TWICE, "handle-option first_byte_timeout_ms=1000")
        thread.join()
    assert len(theirs.request_times) == len(ours.request_times) == 2
    for gap in (*theirs.gaps(), *ours.gaps()):
        assert 0.95 < gap < 1.4, (theirs.gaps(), ours.gaps())
