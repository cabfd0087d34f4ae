"""Paths, and how commands are run: shared by all modules of the benchmark."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "target" / "benches"

SECONDS_TO_END = 1800
LAST_LINES = 20
NOT_INHERITED = re.compile(r"MLFLOW_|PYTHON|RUBY|GODEBUG|GOMAXPROCS|LD_PRELOAD|SSL_CERT_|(https?|all|no)_proxy", re.I)


class BenchFailed(RuntimeError):
    """A failed step: which one, why, and what to do."""

    def __init__(self, step: str, why: str, advice: str) -> None:
        super().__init__(f"{step} failed.\nWhy: {why}\nWhat to do: {advice}")


def output(
    step: str,
    command: Sequence[str],
    advice: str,
    folder: Optional[Path] = None,
    environment: Optional[dict[str, str]] = None,
) -> str:
    """Runs a command to its end and returns what it printed.

    The command inherits the environment without the variables that change a peer's behaviour, plus `environment`.
    """
    inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=SECONDS_TO_END, cwd=folder, env={**inherited, **(environment or {})}, check=False,
        )  # fmt: skip
    except OSError as error:
        raise BenchFailed(step, str(error), advice) from None
    except subprocess.TimeoutExpired:
        raise BenchFailed(step, f"did not end within {SECONDS_TO_END} s", advice) from None
    if result.returncode != 0:
        last_lines = "\n".join((result.stdout + result.stderr).splitlines()[-LAST_LINES:])
        raise BenchFailed(step, f"status {result.returncode} of '{' '.join(command)}':\n{last_lines}", advice)
    return result.stdout


def log(text: str) -> None:
    """Prints the current step."""
    print(text, flush=True)
