#!/usr/bin/env python3
"""A small OpenAI-compatible server that answers what a test can foresee, and fails when it is told to.

    python3 tests/gateways/scripted_upstream.py [--completions-shape {completions,chat}]

prints its URL as the first line and serves until it is ended. It answers POST /v1/completions, /v1/chat/completions
and /v1/embeddings. The text is "echo: " and the prompt or the last user message, so that a test sees that each answer
belongs to its question; with `n` candidates, those after the first end in " #1", " #2" and so on.

GET /requests gives the last requests as a JSON list of {"path", "body"}; DELETE /requests forgets them.

Words in the prompt command it, and can be combined:

    !status 503   answer with this status and an OpenAI error body
    !delay 500    wait so many milliseconds first
    !cut          close the connection after half of the body
"""

import argparse
import collections
import contextlib
import hashlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"
SHAPES = ("completions", "chat")
REQUESTS_KEPT = 1000


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
            self._answer(404, _error("no such path"))

    def do_DELETE(self) -> None:
        if self.path == "/requests":
            self.upstream.forget_requests()
            self._answer(200, [])
        else:
            self._answer(404, _error("no such path"))

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(content)
        except ValueError:
            self._answer(400, _error("the body is not JSON"))
            return
        self.upstream.record(self.path, body)
        if not isinstance(body, dict):
            self._answer(400, _error("the body is not a JSON object"))
        elif body.get("stream"):
            self._answer(400, _error("the scripted upstream does not stream"))
        elif self.path == "/v1/completions":
            in_chat_shape = self.upstream.completions_shape == "chat"
            self._generate(_prompt(body), body, in_chat_shape)
        elif self.path == "/v1/chat/completions":
            self._generate(_last_user_message(body), body, True)
        elif self.path == "/v1/embeddings":
            texts = _texts(body)
            self._obey(" ".join(texts), _embeddings(texts, body))
        else:
            self._answer(404, _error("no such path"))

    def _generate(self, prompt: str, body: dict[str, Any], in_chat_shape: bool) -> None:
        self._obey(prompt, _generation(prompt, body, in_chat_shape))

    def _obey(self, prompt: str, answer: dict[str, Any]) -> None:
        """Answers as the magic words in the prompt demand."""
        delay = re.search(r"!delay (\d+)", prompt)
        status = re.search(r"!status (\d{3})", prompt)
        if delay:
            time.sleep(int(delay[1]) / 1000)
        cut = "!cut" in prompt
        if status:
            self._answer(int(status[1]), _error(f"scripted {status[1]}"), cut)
        else:
            self._answer(200, answer, cut)

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

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the requests are kept instead."""


def _prompt(body: dict[str, Any]) -> str:
    prompt = body.get("prompt", "")
    return prompt if isinstance(prompt, str) else " ".join(map(str, prompt))


def _last_user_message(body: dict[str, Any]) -> str:
    contents = [message.get("content") for message in body.get("messages", []) if message.get("role") == "user"]
    last = contents[-1] if contents else ""
    if isinstance(last, list):
        return "".join(part.get("text", "") for part in last)
    return last or ""


def _texts(body: dict[str, Any]) -> list[str]:
    texts = body.get("input", [])
    return [texts] if isinstance(texts, str) else list(map(str, texts))


def _generation(prompt: str, body: dict[str, Any], in_chat_shape: bool) -> dict[str, Any]:
    texts = [f"echo: {prompt}" + (f" #{index}" if index else "") for index in range(body.get("n") or 1)]
    kind, choice = ("chat.completion", _chat_choice) if in_chat_shape else ("text_completion", _completions_choice)
    return {
        "id": "scripted",
        "object": kind,
        "created": int(time.time()),
        "model": body.get("model", "scripted"),
        "choices": [choice(index, text) for index, text in enumerate(texts)],
        "usage": _usage(len(prompt.split()), sum(len(text.split()) for text in texts)),
    }


def _chat_choice(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}


def _completions_choice(index: int, text: str) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": "stop"}


def _embeddings(texts: list[str], body: dict[str, Any]) -> dict[str, Any]:
    words = sum(len(text.split()) for text in texts)
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": i, "embedding": embedding(text)} for i, text in enumerate(texts)],
        "model": body.get("model", "scripted"),
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def embedding(text: str) -> list[float]:
    """The vector that this text gets: eight numbers from 0 to 1, exact in 32-bit floats, different for each text."""
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def _usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted"}}


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
