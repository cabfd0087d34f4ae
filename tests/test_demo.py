"""`make demo`: a C program calls a real language model through a real gateway."""

import os
import subprocess
import sys
import time

import pytest
from support.builds import ROOT, clean_environment
from support.scripted_gateway import HOST, ScriptedGateway, echo, one_route, refused_port
from support.timing import three_attempts

DEMO = [sys.executable, str(ROOT / "examples-c/demo.py")]


def run_demo(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


@pytest.mark.real
@pytest.mark.alone
@three_attempts
def test_demo_installs_and_runs_a_real_gateway_and_model() -> None:
    """It also works if the environment names a proxy that cannot reach the servers of this machine."""
    start = time.monotonic()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DATABRICKS_"))}
    with refused_port() as port:
        done = run_demo({**inherited, "http_proxy": f"http://{HOST}:{port}", "NO_PROXY": "", "no_proxy": ""})
    assert done.returncode == 0, done.stdout
    assert " Paris" in done.stdout.split("'The capital of France is'")[1]
    assert time.monotonic() - start < 60


def test_demo_uses_the_gateway_of_the_environment() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = run_demo(clean_environment({"MLFLOW_GATEWAY_URI": gateway.url, "MLFLOW_DEMO_ROUTE": "mine"}))
        assert done.returncode == 0, done.stdout
        assert "echo: The capital of France is" in done.stdout
        assert gateway.paths()[-1] == "POST /endpoints/mine/invocations"


def test_failed_step_is_named_with_cause_and_advice() -> None:
    with refused_port() as port:
        done = run_demo(clean_environment({"MLFLOW_GATEWAY_URI": f"http://{HOST}:{port}"}))
    assert done.returncode == 1
    for phrase in ("[1/1] failed", "Why: ", "cannot connect", "What to do: "):
        assert phrase in done.stdout, done.stdout
