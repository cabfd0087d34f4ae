"""Starts a server for a test, waits until it is healthy, and ends it with the test."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Optional

from .install import GATEWAYS

HOST = "127.0.0.1"
LAST_LINES = 20
PORT_ATTEMPTS = 3
PORT_TAKEN = re.compile(r"address already in use|connection in use|couldn't bind", re.IGNORECASE)
NOT_INHERITED = re.compile(r"MLFLOW_|OPENAI_|DATABRICKS_|PYTHON|LD_PRELOAD|(https?|all)_proxy", re.IGNORECASE)

Command = Callable[[int, Path], list[str]]
"""Returns the command line, given the port to listen on and an empty folder for files of the server."""


class ServerFailed(RuntimeError):
    """A server that failed to start. The message contains its command, its exit status and the end of its log."""


class PortTaken(ServerFailed):
    """Another process took the port before the server listened on it."""


class Server:
    """A running server. The constructor returns when it is healthy; `stop`, or the end of a `with`, ends it.

    It also ends when this process ends, in whatever way: see supervisor.py.
    """

    def __init__(
        self,
        name: str,
        command: Command,
        environment: Optional[dict[str, str]] = None,
        health: str = "/health",
        timeout: float = 90,
    ) -> None:
        """Starts `command` and waits up to `timeout` seconds for a 200 from the path `health`.

        The server inherits the environment without the variables that change the behaviour of gateways or Python, plus
        `environment`. Its home, temporary and current folder is the folder passed to `command`.
        """
        self.name = name
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._start(command, environment or {})
            try:
                self._wait_until_healthy(health, time.monotonic() + timeout)
                return
            except PortTaken:
                self.stop()
                if attempt == PORT_ATTEMPTS:
                    raise
            except BaseException:
                self.stop()
                raise

    @property
    def url(self) -> str:
        """The root URL without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """Ends the server and all processes that it started, and waits for their end."""
        if self._supervisor.stdin:
            self._supervisor.stdin.close()
        self._supervisor.wait()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self, command: Command, environment: dict[str, str]) -> None:
        self.port = _free_port()
        logs = GATEWAYS / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.log = logs / f"{self.name}-{self.port}.log"
        folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        try:
            self._command = command(self.port, folder)
            inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.match(name)}
            places = {"HOME": str(folder), "TMPDIR": str(folder), "NO_PROXY": HOST}
            supervisor = Path(__file__).with_name("supervisor.py")
            with self.log.open("wb") as log:
                self._supervisor = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(supervisor), str(folder), *self._command],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env={**inherited, **places, **environment},
                    start_new_session=True,  # Ctrl-C is for this process, which ends the server
                )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _wait_until_healthy(self, health: str, deadline: float) -> None:
        while True:
            status = self._supervisor.poll()
            if PORT_TAKEN.search(self._log_text()):
                raise PortTaken(self._failure("found its port taken"))
            if status is not None:
                raise ServerFailed(self._failure(f"ended with status {status}"))
            if _is_healthy(self.port, health):
                return
            if time.monotonic() > deadline:
                raise ServerFailed(self._failure(f"did not respond to {self.url}{health} in time (still running)"))
            time.sleep(0.1)

    def _log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def _failure(self, what: str) -> str:
        last_lines = "\n".join(self._log_text().splitlines()[-LAST_LINES:])
        return f"{self.name} {what}.\nCommand: {' '.join(self._command)}\nThe end of {self.log}:\n{last_lines}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _is_healthy(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
