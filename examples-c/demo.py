#!/usr/bin/env python3
"""`make demo`: send a prompt through an MLflow gateway with the example `ask`.

If MLFLOW_GATEWAY_URI or MLFLOW_DEPLOYMENTS_TARGET is set, the demo uses that gateway and the route MLFLOW_DEMO_ROUTE
(default: completions). Otherwise it installs an MLflow gateway and a small language model under target/gateways, and
runs both on this machine until the demo ends.
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
PROMPT = "The capital of France is"
TIMEOUT_SECONDS = 60


class DemoFailed(RuntimeError):
    """A step that failed: why, and what the user can do."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(f"Why: {why}\nWhat to do: {advice}")


class Steps:
    """Prints each step and its duration."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.number = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Prints the title of a step, and afterwards whether it succeeded."""
        self.number += 1
        label = f"[{self.number}/{self.total}]"
        print(f"{label} {title} ...", flush=True)
        started = time.monotonic()
        try:
            yield
        except Exception:
            print(f"{label} failed after {time.monotonic() - started:.1f} s", flush=True)
            raise
        print(f"{label} done in {time.monotonic() - started:.1f} s", flush=True)


def main() -> int:
    """Runs the demo and returns its exit status."""
    gateway_uri = os.environ.get("MLFLOW_GATEWAY_URI") or os.environ.get("MLFLOW_DEPLOYMENTS_TARGET")
    try:
        if gateway_uri:
            send_prompt(Steps(1), gateway_uri, os.environ.get("MLFLOW_DEMO_ROUTE") or "completions")
        else:
            run_local_gateway()
    except (DemoFailed, InstallFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except ServerFailed as failure:
        print(f"Why: {failure}", file=sys.stderr)
        print("What to do: read its log above; if it only was too slow to start, run make demo again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. All servers have been stopped.", file=sys.stderr)
        return 130
    return 0


def run_local_gateway() -> None:
    """Starts a language model and a gateway for it, sends the prompt, and stops both."""
    steps = Steps(4)
    with contextlib.ExitStack() as running:
        with steps.step(f"Installing MLflow {MLFLOW_VERSION} and the model SmolLM2 (takes minutes the first time)"):
            install(f"mlflow-{MLFLOW_VERSION}")
            install("language-model")
        with steps.step("Starting the language model"):
            model = running.enter_context(language_model.start())
        with steps.step("Starting the MLflow gateway"):
            gateway = running.enter_context(mlflow_server.start(MLFLOW_VERSION, model.url))
        # A proxy from the user's environment cannot reach servers on this machine.
        send_prompt(steps, gateway.url, "completions", {**os.environ, "NO_PROXY": HOST, "no_proxy": HOST})


def send_prompt(steps: Steps, gateway_uri: str, route: str, environment: Optional[dict[str, str]] = None) -> None:
    """Runs the example `ask` in `environment` (default: that of this program) and prints its output."""
    command = ["examples-c/ask", "-u", gateway_uri, "-r", route, "-t", "0", "-m", "8", PROMPT]
    with steps.step(f"Sending a prompt to the gateway at {gateway_uri}"):
        print(f"$ {' '.join(map(shlex.quote, command))}", flush=True)
        try:
            result = subprocess.run(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                timeout=TIMEOUT_SECONDS, check=True, env=environment,
            )  # fmt: skip
        except OSError as error:
            raise DemoFailed(f"cannot run {command[0]}: {error}", "build the examples with make") from None
        except subprocess.TimeoutExpired:
            raise DemoFailed(
                f"no response within {TIMEOUT_SECONDS} s", f"check that the gateway at {gateway_uri} is not overloaded"
            ) from None
        except subprocess.CalledProcessError as error:
            message = error.stderr.decode(errors="replace").strip() or "no error message"
            raise DemoFailed(
                f"{command[0]} failed with exit status {error.returncode}: {message}",
                f"check that the gateway at {gateway_uri} runs and has the route '{route}'",
            ) from None
        print(result.stdout.decode(errors="replace").rstrip("\n"), flush=True)


if __name__ == "__main__":
    sys.exit(main())
