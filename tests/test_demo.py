"""`make demo`: a real gateway, a real language model, and a C program that asks."""

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
def test_the_model_knows_the_capital_of_france() -> None:
    """Also for a user whose variables name a proxy, which knows nothing of this machine's own servers."""
    start = time.monotonic()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DATABRICKS_"))}
    with refused_port() as port:
        done = run_demo({**inherited, "http_proxy": f"http://{HOST}:{port}", "NO_PROXY": "", "no_proxy": ""})
    assert done.returncode == 0, done.stdout
    assert " Paris" in done.stdout.split("'The capital of France is'")[1]
    assert time.monotonic() - start < 60


def test_a_gateway_of_the_users_own_is_asked_instead() -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = run_demo(clean_environment({"MLFLOW_GATEWAY_URI": gateway.url, "MLFLOW_DEMO_ROUTE": "mine"}))
        assert done.returncode == 0, done.stdout
        assert "echo: The capital of France is" in done.stdout
        assert gateway.paths()[-1] == "POST /endpoints/mine/invocations"


def test_a_failing_step_says_which_and_why() -> None:
    with refused_port() as port:
        done = run_demo(clean_environment({"MLFLOW_GATEWAY_URI": f"http://{HOST}:{port}"}))
    assert done.returncode == 1
    for words in ("[1/1] failed", "Why: ", "cannot connect", "What to do: "):
        assert words in done.stdout, done.stdout
