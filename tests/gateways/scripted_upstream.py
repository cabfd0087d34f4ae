#!/usr/bin/env python3
"""A small OpenAI-compatible server that answers what a test can foresee, and fails when it is told to.

    python3 tests/gateways/scripted_upstream.py [--completions-shape {completions,chat}]

prints its URL as the first line and serves until it is ended. It answers POST /v1/completions, /v1/chat/completions
and /v1/embeddings, at once or, with `"stream": true`, in a stream of chunks. The text is "echo: " and the prompt or the
last message of the user or of a tool, so that a test sees that each answer belongs to its question; with `n`
candidates, those after the first end in " #1", " #2" and so on.

It also answers /v1/responses, /v1/messages (Anthropic) and /v1beta/models/NAME:generateContent and
:streamGenerateContent (Gemini), as provider_answers.py says.

GET /requests gives the last requests as a JSON list of {"path", "body"}; DELETE /requests forgets them.

Words in that prompt or message command it, and can be combined:

    !status 503   answer with this status and an OpenAI error body
    !delay 500    wait so many milliseconds first
    !cut          close the connection after half of the body
    !strange      answer with JSON that is no answer, at which MLflow's gateways raise an exception that nobody handles
    !tools        call the first tool twice instead of writing a text (chat only)
    !signed       with !tools: call it once, without arguments and with a signature

and in a stream also:

    !slow 50      wait so many milliseconds between the chunks
    !reason 5000  reason for so many milliseconds before the text, a thought each 50: the id of each chunk is the time
                  in microseconds (CLOCK_MONOTONIC)
    !break 3      break the connection (RST) after so many chunks
    !error 3      send an error after so many chunks, and end
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
from gateways import provider_answers as others  # noqa: E402
from gateways import scripted_answers as answers  # noqa: E402

HOST = "127.0.0.1"
SHAPES = ("completions", "chat")
REQUESTS_KEPT = 1000
REASONING_PAUSE = 0.05
THOUGHT = "hm, "


class ScriptedUpstream:
    """The running server. It is up when the constructor returns; `stop`, or the end of a `with`, ends it.

    `completions_shape="chat"` makes it answer /v1/completions in chat's shape: the openai provider of MLflow 2.22
    expects that.
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
        """Returns when the server has been stopped."""
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
    block_on_close = False  # an answer that is still being delayed must not hold up the end of a test
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that leaves in the middle of an answer is nothing to talk about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection; it is kept alive from request to request, as HTTP/1.1 does."""

    upstream: ScriptedUpstream
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body leave together
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/requests":
            self._answer(200, self.upstream.requests())
        elif self.path == "/health":
            self._answer(200, {"status": "OK"})
        else:
            self._answer(404, answers.error("no such path"))

    def do_DELETE(self) -> None:
        if self.path == "/requests":
            self.upstream.forget_requests()
            self._answer(200, [])
        else:
            self._answer(404, answers.error("no such path"))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(content)
        except ValueError:
            self._answer(400, answers.error("the body is not JSON"))
            return
        self.upstream.record(self.path, body)
        if not isinstance(body, dict):
            self._answer(400, answers.error("the body is not a JSON object"))
        elif self.path == "/v1/completions":
            in_chat_shape = self.upstream.completions_shape == "chat"
            self._generate(answers.completions_question(body, in_chat_shape))
        elif self.path == "/v1/chat/completions":
            self._generate(answers.chat_question(body))
        elif self.path == "/v1/embeddings":
            texts = answers.texts_to_embed(body)
            commands = " ".join(texts)
            if self._is_to_answer(commands):
                self._answer(200, answers.embeddings(texts, body), "!cut" in commands)
        elif self.path == "/v1/responses":
            self._answer_as(others.responses(body), bool(body.get("stream")))
        elif self.path == "/v1/messages":
            self._answer_as(others.anthropic_messages(body), bool(body.get("stream")))
        elif self.path.startswith("/v1beta/models/"):
            self._answer_as(others.gemini(body), ":streamGenerateContent" in self.path)
        else:
            self._answer(404, answers.error("no such path"))

    def _answer_as(self, answer: others.Answer, is_streamed: bool) -> None:
        if not is_streamed or answer.status != 200:
            self._answer(answer.status, answer.body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for lines in others.event_lines(answer.events):
            self._send_chunk(lines)
        self._send_chunk(b"")

    def _generate(self, question: answers.Question) -> None:
        if not self._is_to_answer(question.text):
            return
        if question.body.get("stream"):
            self._stream(question.text, list(answers.chunks(question)))
        else:
            self._answer(200, answers.answer(question), "!cut" in question.text)

    def _is_to_answer(self, commands: str) -> bool:
        """Waits, or fails in the answer's place, as the words of command demand."""
        time.sleep((_number("!delay", commands) or 0) / 1000)
        status = _number("!status", commands)
        if status is not None:
            self._answer(status, answers.error(f"scripted {status}"), "!cut" in commands)
        elif "!strange" in commands:
            self._answer(200, {"object": "strange"})
        return status is None and "!strange" not in commands

    def _answer(self, status: int, answer: Any, cut: bool = False) -> None:
        content = json.dumps(answer).encode()
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
        """Sends the chunks as server-sent events, and fails among them as the words of command demand."""
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
            sent = [*chunks[:chunks_before_error], answers.error("scripted error")]
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
        """Sends one piece of a body whose length is not known yet; an empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def _reset(self) -> None:
        """Breaks the connection as a crashing peer does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the requests are kept instead."""


def _reasoning(first: Any, milliseconds: int) -> Iterator[Any]:
    """Chunks of reasoning for so long, one each REASONING_PAUSE."""
    ends = time.monotonic() + milliseconds / 1000
    while time.monotonic() < ends:
        time.sleep(REASONING_PAUSE)
        now = str(time.monotonic_ns() // 1000)
        delta = {"reasoning_content": THOUGHT}
        yield {**first, "id": now, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _number(command: str, commands: str) -> Optional[int]:
    """The number that follows a word of command; None where that word is not there."""
    found = re.search(rf"{command} (\d+)", commands)
    return int(found[1]) if found else None


def main() -> None:
    """Serves until it is ended by a signal."""
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server.")
    parser.add_argument("--completions-shape", choices=SHAPES, default=SHAPES[0])
    with ScriptedUpstream(parser.parse_args().completions_shape) as upstream:
        print(upstream.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            upstream.wait()


if __name__ == "__main__":
    main()
