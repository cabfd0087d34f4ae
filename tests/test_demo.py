"""`make demo`: a real gateway, a real language model, and a C program that asks."""

import os
import subprocess
import sys
import time

from builds import ROOT
from scripted_gateway import ScriptedGateway, answering, echo

DEMO = [sys.executable, str(ROOT / "examples-c/demo.py")]


def run_demo(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.run(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**inherited, **environment}
    )


def test_the_model_knows_the_capital_of_france() -> None:
    start = time.monotonic()
    done = run_demo()
    assert done.returncode == 0, done.stdout
    assert " Paris" in done.stdout.split("'The capital of France is'")[1]
    assert time.monotonic() - start < 60


def test_a_gateway_of_the_users_own_is_asked_instead() -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        done = run_demo(MLFLOW_GATEWAY_URI=gateway.url, MLFLOW_DEMO_ROUTE="mine")
        assert done.returncode == 0, done.stdout
        assert "echo: The capital of France is" in done.stdout
        assert gateway.paths()[-1] == "POST /endpoints/mine/invocations"


def test_a_failing_step_says_which_and_why() -> None:
    done = run_demo(MLFLOW_GATEWAY_URI="http://127.0.0.1:1")
    assert done.returncode == 1
    for words in ("[1/1] failed", "Why: ", "cannot connect", "What to do: "):
        assert words in done.stdout, done.stdout
