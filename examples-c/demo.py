#!/usr/bin/env python3
"""`make demo`: lets the example `ask` put a question to a gateway.

With MLFLOW_GATEWAY_URI (or else MLFLOW_DEPLOYMENTS_TARGET) set, it asks that gateway, by the route in
MLFLOW_DEMO_ROUTE (default: completions). Otherwise it installs a real MLflow gateway and a small language model under
target/, starts both on this machine for as long as the demo runs, and asks them.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from gateways import language_model, mlflow_server  # noqa: E402
from gateways.install import InstallFailed, install  # noqa: E402
from gateways.processes import HOST, ServerFailed  # noqa: E402

MLFLOW_VERSION = "3.17.2"
QUESTION = "The capital of France is"
SECONDS_TO_ANSWER = 60


class DemoFailed(RuntimeError):
    """A step that failed: why, and what the user can do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(f"Why: {why}\nWhat to do: {advice}")


class Steps:
    """Says what is being done, and how long it took."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announces a step, and tells afterwards whether it went well."""
        self.number += 1
        label = f"[{self.number}/{self.total}]"
        print(f"{label} {what} ...", flush=True)
        started = time.monotonic()
        try:
            yield
        except Exception:
            print(f"{label} failed after {time.monotonic() - started:.1f} s", flush=True)
            raise
        print(f"{label} done in {time.monotonic() - started:.1f} s", flush=True)


def main() -> int:
    """Runs the demo; returns its exit status."""
    gateway_uri = os.environ.get("MLFLOW_GATEWAY_URI") or os.environ.get("MLFLOW_DEPLOYMENTS_TARGET")
    try:
        if gateway_uri:
            ask(Steps(1), gateway_uri, os.environ.get("MLFLOW_DEMO_ROUTE") or "completions")
        else:
            ask_own_gateway()
    except (DemoFailed, InstallFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except ServerFailed as failure:
        print(f"Why: {failure}", file=sys.stderr)
        print("What to do: see its log above; where it was only slow, run the demo again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: all that was started has been stopped.", file=sys.stderr)
        return 130
    return 0


def ask_own_gateway() -> None:
    """Starts a language model and a gateway in front of it, asks, and stops both."""
    steps = Steps(4)
    with contextlib.ExitStack() as running:
        with steps.step(f"Installing MLflow {MLFLOW_VERSION} and the language model under target/gateways"):
            install(f"mlflow-{MLFLOW_VERSION}")
            install("language-model")
        with steps.step("Starting the language model SmolLM2"):
            model = running.enter_context(language_model.start())
        with steps.step(f"Starting the gateway of MLflow {MLFLOW_VERSION}"):
            gateway = running.enter_context(mlflow_server.start(MLFLOW_VERSION, model.url))
        # A proxy that the user's variables name does not reach this machine's own servers.
        ask(steps, gateway.url, "completions", {**os.environ, "NO_PROXY": HOST, "no_proxy": HOST})


def ask(steps: Steps, gateway_uri: str, route: str, environment: Optional[dict[str, str]] = None) -> None:
    """Runs the C program with `environment` (this program's own if None), and prints its output."""
    command = ["examples-c/ask", "-u", gateway_uri, "-r", route, "-t", "0", "-m", "8", QUESTION]
    with steps.step(f"Asking the gateway at {gateway_uri}"):
        print(f"$ {' '.join(map(shlex.quote, command))}", flush=True)
        try:
            result = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                timeout=SECONDS_TO_ANSWER, check=True, env=environment,
            )  # fmt: skip
        except OSError as error:
            raise DemoFailed(f"the example program cannot be run: {error}", "build it first: make demo does") from None
        except subprocess.TimeoutExpired:
            raise DemoFailed(
                f"no answer within {SECONDS_TO_ANSWER} s", f"check that the gateway at {gateway_uri} is not overloaded"
            ) from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip() or "it said nothing"
            raise DemoFailed(
                f"{command[0]} ended with status {error.returncode}: {said}",
                f"check that the gateway at {gateway_uri} is up and has the route '{route}'",
            ) from None
        print(result.stdout.decode(errors="replace").rstrip("\n"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
