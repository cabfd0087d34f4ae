"""A gateway whose every byte a test decides: for answers and faults that the real ones do not give on demand."""

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Optional

HOST = "127.0.0.1"

SOCKET_BUFFER = 128 * 1024
"""Bytes. What a server has sent or not read and still lies in the system is no more on a machine with larger buffers."""

COMPLETIONS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/completions"}
CHAT_ROUTE = {"name": "r", "endpoint_type": "llm/v1/chat"}
NOT_FOUND = {"detail": "Not Found"}


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    """One connection, as a script sees it."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True

    def respond(self, status: int, body: object, headers: Optional[dict[str, str]] = None) -> None:
        """Answers with JSON, or with bytes or a text as they are."""
        content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def raw(self, content: bytes) -> None:
        """Writes bytes as they are and ends the connection."""
        self.wfile.write(content)
        self.close_connection = True

    def reset(self) -> None:
        """Breaks the connection with a RST, as a crashing peer does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def stall(self) -> None:
        """Says nothing more until the peer gives up."""
        self.wfile.flush()
        while self.connection.recv(1024):
            pass
        self.close_connection = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # the peer left, or we closed the socket ourselves
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the requests are kept instead."""


def limit_buffers(listener: socket.socket) -> None:
    """Limits the system's buffers of the connections that come."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)


Script = Callable[[Handler, Request], None]


class ScriptedGateway:
    """A server that listens until the end of its `with` and answers each request as the script says."""

    def __init__(
        self, script: Script, tls: Optional[ssl.SSLContext] = None, host: str = HOST, port: int = 0
    ) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        requests = self.requests
        gateway = self

        class Scripted(Handler):
            def setup(self) -> None:
                gateway.connections += 1
                if tls:
                    self.request = tls.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                request = Request(self.command, self.path, dict(self.headers), body)
                requests.append(request)
                script(self, request)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_QUERY = do_GET

        self._server = _Server((host, port), Scripted)
        limit_buffers(self._server.socket)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"

    def __enter__(self) -> "ScriptedGateway":
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A peer that leaves is what some tests are about."""


def one_route(on_post: Script, route: dict = COMPLETIONS_ROUTE) -> Script:
    """A deployments server with the one route; what it answers to a question is up to `on_post`."""

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST":
            on_post(handler, request)
        elif request.path.startswith("/api/2.0/endpoints/"):
            handler.respond(200, route)
        else:
            handler.respond(404, NOT_FOUND)

    return script


def echo(handler: Handler, request: Request) -> None:
    """Answers a completions question with the question."""
    handler.respond(200, {"choices": [{"text": "echo: " + request.json()["prompt"]}]})


def echo_request(handler: Handler, request: Request) -> None:
    """Responds with the body and the headers of the request, as the text of a JSON object."""
    text = json.dumps({"body": request.json(), "headers": {k.lower(): v for k, v in request.headers.items()}})
    choice = {"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}
    handler.respond(200, {"choices": [choice]})


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port on which `talk` is run for each connection, one after the other; they are closed at the end.

    The listening thread is gone before the listener is closed: one that still waits in accept() could wake up on
    another test's listener, which gets the same descriptor.
    """
    connections = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connections.append(listener.accept()[0])
                with contextlib.suppress(OSError):
                    talk(connections[-1])

    with socket.create_server((HOST, 0)) as listener:
        limit_buffers(listener)
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port that nobody listens on, and that stays so: it is bound, but not listened on."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def unreachable_port() -> Iterator[int]:
    """A port on which no connection is ever made, as on a host that is off: its queue is full and is never emptied."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _ in range(8):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            waiting.append(client)
        time.sleep(0.1)
        yield address[1]
        for client in waiting:
            client.close()
