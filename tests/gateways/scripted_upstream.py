#!/usr/bin/env python3
"""A small OpenAI-compatible server with predictable responses, and with failures on command.

    python3 tests/gateways/scripted_upstream.py [--completions-shape {completions,chat}]

prints its URL as the first line and serves until it is ended. It supports POST /v1/completions, /v1/chat/completions
and /v1/embeddings, whole or, with `"stream": true`, as a stream of chunks. The text is "echo: " and the prompt or the
last message of the user or of a tool, so that a test can match each response with its request. With `n` candidates,
those after the first end in " #1", " #2" and so on.

It also supports /v1/responses, /v1/messages (Anthropic) and /v1beta/models/NAME:generateContent and
:streamGenerateContent (Gemini): see provider_responses.py.

GET /requests returns the last requests as a JSON list of {"path", "body"}; DELETE /requests clears it.

The prompt or message can contain commands:

    !status 503   respond with this status and an OpenAI error body
    !delay 500    wait 500 milliseconds before the response
    !cut          close the connection after half of the body
    !strange      respond with unexpected JSON, which causes an unhandled exception in MLflow's gateways
    !tools        respond with two calls of the first tool instead of a text (chat only)
    !signed       with !tools: respond with one call, without arguments and with a signature

and in a stream also:

    !slow 50      wait 50 milliseconds between the chunks
    !reason 5000  send reasoning for 5000 milliseconds before the text, a chunk every 50: the id of each chunk is the
                  time in microseconds (CLOCK_MONOTONIC)
    !break 3      reset the connection (RST) after 3 chunks
    !error 3      send an error after 3 chunks, and end
"""

import argparse
import collections
import contextlib
import itertools
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

if not __package__:  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gateways import provider_responses as others  # noqa: E402
from gateways import scripted_responses as responses  # noqa: E402

HOST = "127.0.0.1"
SHAPES = ("completions", "chat")
REQUESTS_KEPT = 1000
REASONING_PAUSE = 0.05
THOUGHT = "hm, "


class ScriptedUpstream:
    """The running server. It is ready when the constructor returns; `stop`, or the end of a `with`, ends it.

    With `completions_shape="chat"`, responses to /v1/completions have the shape of chat, as the openai provider of
    MLflow 2.22 expects.
    """

    def __init__(self, completions_shape: str = "completions") -> None:
        if completions_shape not in SHAPES:
            raise ValueError(f"completions_shape is one of {SHAPES}, not {completions_shape!r}")
        self._log: collections.deque[dict[str, Any]] = collections.deque(maxlen=REQUESTS_KEPT)
        self._lock = threading.Lock()

        class Handler(_Handler):
            upstream = self

        self.completions_shape = completions_shape
        self._server = _HttpServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def requests(self) -> list[dict[str, Any]]:
        """The last requests, oldest first, each with its `path` and its JSON `body`."""
        with self._lock:
            return list(self._log)

    def forget_requests(self) -> None:
        """Empties the list of requests."""
        with self._lock:
            self._log.clear()

    def record(self, path: str, body: Any) -> None:
        """Adds a request to the list."""
        with self._lock:
            self._log.append({"path": path, "body": body})

    def wait(self) -> None:
        """Waits until the server is stopped."""
        self._thread.join()

    def stop(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> "ScriptedUpstream":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a delayed response must not delay the end of a test
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that close the connection during a response."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One kept-alive connection."""

    upstream: ScriptedUpstream
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # send head and body together
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/requests":
            self._respond(200, self.upstream.requests())
        elif self.path == "/health":
            self._respond(200, {"status": "OK"})
        else:
            self._respond(404, responses.error("no such path"))

    def do_DELETE(self) -> None:
        if self.path == "/requests":
            self.upstream.forget_requests()
            self._respond(200, [])
        else:
            self._respond(404, responses.error("no such path"))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(content)
        except ValueError:
            self._respond(400, responses.error("the body is not JSON"))
            return
        self.upstream.record(self.path, body)
        if not isinstance(body, dict):
            self._respond(400, responses.error("the body is not a JSON object"))
        elif self.path == "/v1/completions":
            is_chat = self.upstream.completions_shape == "chat"
            self._generate(responses.completions_request(body, is_chat))
        elif self.path == "/v1/chat/completions":
            self._generate(responses.chat_request(body))
        elif self.path == "/v1/embeddings":
            inputs = responses.embeddings_inputs(body)
            commands = " ".join(inputs)
            if self._follow_commands(commands):
                self._respond(200, responses.embeddings(inputs, body), "!cut" in commands)
        elif self.path == "/v1/responses":
            self._respond_as(others.responses(body), bool(body.get("stream")))
        elif self.path == "/v1/messages":
            self._respond_as(others.anthropic_messages(body), bool(body.get("stream")))
        elif self.path.startswith("/v1beta/models/"):
            self._respond_as(others.gemini(body), ":streamGenerateContent" in self.path)
        else:
            self._respond(404, responses.error("no such path"))

    def _respond_as(self, response: others.Response, is_streamed: bool) -> None:
        if not is_streamed or response.status != 200:
            self._respond(response.status, response.body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for lines in others.event_lines(response.events):
            self._send_chunk(lines)
        self._send_chunk(b"")

    def _generate(self, request: responses.Request) -> None:
        if not self._follow_commands(request.text):
            return
        if request.body.get("stream"):
            self._stream(request.text, list(responses.chunks(request)))
        else:
            self._respond(200, responses.response(request), "!cut" in request.text)

    def _follow_commands(self, commands: str) -> bool:
        """Waits or fails as commanded. Returns whether to send the response."""
        time.sleep((_number("!delay", commands) or 0) / 1000)
        status = _number("!status", commands)
        if status is not None:
            self._respond(status, responses.error(f"scripted {status}"), "!cut" in commands)
        elif "!strange" in commands:
            self._respond(200, {"object": "strange"})
        return status is None and "!strange" not in commands

    def _respond(self, status: int, response: Any, cut: bool = False) -> None:
        content = json.dumps(response).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if cut:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            self.wfile.write(content)

    def _stream(self, commands: str, chunks: list[Any]) -> None:
        """Sends the chunks as server-sent events, and fails between them as commanded."""
        pause = (_number("!slow", commands) or 0) / 1000
        chunks_before_error = _number("!error", commands)
        chunks_before_break = _number("!break", commands)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        if chunks_before_break is not None:
            self._send_events(map(json.dumps, chunks[:chunks_before_break]), pause)
            self._reset()
        elif "!cut" in commands:
            self._send_events(map(json.dumps, chunks[: len(chunks) // 2]), pause)
            self.close_connection = True
        elif chunks_before_error is not None:
            sent = [*chunks[:chunks_before_error], responses.error("scripted error")]
            self._send_events(map(json.dumps, sent), pause)
            self._send_chunk(b"")
        else:
            reasoning = _reasoning(chunks[0], _number("!reason", commands) or 0)
            sent = itertools.chain(chunks[:1], reasoning, chunks[1:])
            self._send_events(itertools.chain(map(json.dumps, sent), ["[DONE]"]), pause)
            self._send_chunk(b"")

    def _send_events(self, events: Iterable[str], pause: float) -> None:
        for number, event in enumerate(events):
            if number:
                time.sleep(pause)
            self._send_chunk(f"data: {event}\n\n".encode())

    def _send_chunk(self, content: bytes) -> None:
        """Sends a chunk of a chunked body. An empty chunk ends the body."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _reset(self) -> None:
        """Resets the connection, as a crashing server does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing; the requests are recorded instead."""


def _reasoning(first: Any, milliseconds: int) -> Iterator[Any]:
    """Reasoning chunks for this time, one every REASONING_PAUSE seconds."""
    ends = time.monotonic() + milliseconds / 1000
    while time.monotonic() < ends:
        time.sleep(REASONING_PAUSE)
        now = str(time.monotonic_ns() // 1000)
        delta = {"reasoning_content": THOUGHT}
        yield {**first, "id": now, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _number(command: str, commands: str) -> Optional[int]:
    """The number after a command, or None without the command."""
    found = re.search(rf"{command} (\d+)", commands)
    return int(found[1]) if found else None


def main() -> None:
    """Serves until a signal ends the process."""
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server.")
    parser.add_argument("--completions-shape", choices=SHAPES, default=SHAPES[0])
    with ScriptedUpstream(parser.parse_args().completions_shape) as upstream:
        print(upstream.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            upstream.wait()


if __name__ == "__main__":
    main()
