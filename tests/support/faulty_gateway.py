"""A gateway that fails in scripted ways before it succeeds, and a port that cuts connections, for tests of retries."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Optional

from support.builds import SHARED, Build
from support.event_streams import chunk, events, send_stream
from support.operations import Outcome, perform_all
from support.scripted_gateway import (
    CHAT_ROUTE,
    HOST,
    Handler,
    Request,
    ScriptedGateway,
)

NO_PAUSES = {"MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0"}


RESPONSE = {
    "choices": [{"message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
    "candidates": [{"message": {"role": "assistant", "content": "x"}, "metadata": {}}],
    "metadata": {},
    "data": [{"embedding": [1.0]}],
    "endpoints": [{"name": "r", "endpoint_type": "llm/v1/chat"}],
}

BUDGET = {"detail": "Budget limit exceeded. Ask finance."}


Fault = Callable[[Handler, Request], None]


def status(number: int, body: object = None, **headers: str) -> Fault:
    """Returns a fault that responds with this status; keyword arguments become headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.respond(number, {"detail": "not now"} if body is None else body, named)


def raw(content: bytes) -> Fault:
    return lambda handler, _: handler.raw(content)


def reset(handler: Handler, request: Request) -> None:
    handler.reset()


def stall(handler: Handler, request: Request) -> None:
    handler.stall()


def succeed(handler: Handler, request: Request) -> None:
    """Responds without a fault."""
    if request.body and request.json().get("stream"):
        send_stream(handler, events(chunk("x"), chunk(None, finish_reason="stop"), "[DONE]"))
    else:
        handler.respond(200, RESPONSE)


class FaultyGateway(ScriptedGateway):
    """A gateway that applies these faults in turn to requests with these methods, and then succeeds.

    It records the time of each such request.
    """

    def __init__(
        self, *faults: Fault, route: dict = CHAT_ROUTE, methods: str = "POST", tls: Optional[ssl.SSLContext] = None
    ) -> None:
        remaining = list(faults)
        self.request_times: list[float] = []

        def script(handler: Handler, request: Request) -> None:
            if request.method not in methods:
                handler.respond(200, {"route_type": route["endpoint_type"], **route})
                return
            self.request_times.append(time.monotonic())
            (remaining.pop(0) if remaining else succeed)(handler, request)

        super().__init__(script, tls)

    def gaps(self) -> list[float]:
        """Returns the seconds between consecutive requests."""
        return [later - earlier for earlier, later in zip(self.request_times, self.request_times[1:])]

    def perform_anew(
        self, times: int, *commands: str, build: Build = SHARED, env: Optional[dict[str, str]] = None
    ) -> list[Outcome]:
        """Performs the operation `times` times, each time on a new handle."""
        again = [f"uri {self.url}", "again", *commands]
        return perform_all(self.url, *again * times, build=build, env=env)


RETRIED = (429, 500, 502, 503)


class CuttingPort:
    """A port that closes connections selected by their number, and forwards the others to another port."""

    def __init__(self, target: int, is_cut: Callable[[int], bool], reply: bytes = b"") -> None:
        self.connections = 0
        self._target, self._is_cut, self._reply = target, is_cut, reply

    def talk(self, connection: socket.socket) -> None:
        self.connections += 1
        if self._is_cut(self.connections):
            connection.recv(4096)
            connection.sendall(self._reply)
            connection.close()
        else:
            threading.Thread(target=forward, args=(connection, self._target), daemon=True).start()


def forward(connection: socket.socket, port: int) -> None:
    """Forwards both directions until both have ended."""
    with socket.create_connection((HOST, port)) as onward:
        return_thread = threading.Thread(target=copy, args=(onward, connection), daemon=True)
        return_thread.start()
        copy(connection, onward)
        return_thread.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


CUT_RESPONSES = {
    "cut head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut body": raw(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choices"'),
    "cut chunk": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"),
    "not HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "not JSON": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{x"),
}
