"""A gateway whose every byte is scripted, for responses and faults that real gateways do not produce on demand."""

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
"""Bytes. The limit makes machines with larger default buffers behave the same."""

COMPLETIONS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/completions"}
CHAT_ROUTE = {"name": "r", "endpoint_type": "llm/v1/chat"}
NOT_FOUND = {"detail": "Not Found"}


class Request(NamedTuple):
    """A received request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict:
        return json.loads(self.body)


class Handler(BaseHTTPRequestHandler):
    """One connection, as a script sees it."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body are sent together
    disable_nagle_algorithm = True

    def respond(self, status: int, body: object, headers: Optional[dict[str, str]] = None) -> None:
        """Responds with JSON, or with bytes or a string unchanged."""
        content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def raw(self, content: bytes) -> None:
        """Writes bytes unchanged, and ends the connection."""
        self.wfile.write(content)
        self.close_connection = True

    def reset(self) -> None:
        """Resets the connection, as a crashing peer does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def stall(self) -> None:
        """Sends nothing more until the peer closes the connection."""
        self.wfile.flush()
        while self.connection.recv(1024):
            pass
        self.close_connection = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # the peer closed the connection, or the script did
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the requests are recorded instead."""


def limit_buffers(listener: socket.socket) -> None:
    """Limits the socket buffers of accepted connections."""
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)


Script = Callable[[Handler, Request], None]


class ScriptedGateway:
    """A server that runs until the end of its `with`, and responds to each request by its script."""

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
        """Ignores errors: some tests make the peer close the connection."""


def one_route(on_post: Script, route: dict = COMPLETIONS_ROUTE) -> Script:
    """Returns the script of a deployments server with one route; `on_post` responds to POST requests."""

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST":
            on_post(handler, request)
        elif request.path.startswith("/api/2.0/endpoints/"):
            handler.respond(200, route)
        else:
            handler.respond(404, NOT_FOUND)

    return script


def echo(handler: Handler, request: Request) -> None:
    """Responds to a completions request with its prompt."""
    handler.respond(200, {"choices": [{"text": "echo: " + request.json()["prompt"]}]})


def echo_request(handler: Handler, request: Request) -> None:
    """Responds with the body and the headers of the request, as the text of a JSON object."""
    text = json.dumps({"body": request.json(), "headers": {k.lower(): v for k, v in request.headers.items()}})
    choice = {"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}
    handler.respond(200, {"choices": [choice]})


@contextlib.contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yields a port. `talk` handles its connections one after another; they are closed at the end.

    The thread ends before the listener is closed: a thread still in accept() could wake up on the listener of another
    test, which gets the same descriptor.
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
    """Yields a port that refuses connections: it is bound, but nothing listens."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def unreachable_port() -> Iterator[int]:
    """Yields a port on which connecting hangs, as on a host that is off: its accept queue stays full."""
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
