"""A gateway that obeys the first word of the prompt, as tests/c/fast_gateway.c does, but also over TLS and with more
commands: so a C program can test everything against one server."""

import ssl
import threading
import time
from typing import Optional

from support.event_streams import chunk, events, framed, head
from support.scripted_gateway import NOT_FOUND, Handler, Request, ScriptedGateway

PAUSE = 0.02
DEPTH = 10_000
DEEP = "[" * DEPTH + "]" * DEPTH
LONG = "x" * 5_000_000

ROUTES = [
    {"name": "r", "endpoint_type": "llm/v1/completions"},
    {"name": "chat", "endpoint_type": "llm/v1/chat"},
    {"name": "embeddings", "endpoint_type": "llm/v1/embeddings"},
]


def gateway(tls: Optional[ssl.SSLContext] = None) -> ScriptedGateway:
    once = _Once()

    def script(handler: Handler, request: Request) -> None:
        if request.method == "POST":
            _respond(handler, request.json(), once)
        elif request.path.startswith("/api/2.0/endpoints/"):
            name = request.path.rsplit("/", 1)[1]
            found = [route for route in ROUTES if name in ("", route["name"])]
            if name == "":
                handler.respond(200, {"endpoints": found})
            elif found:
                handler.respond(200, found[0])
            else:
                handler.respond(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such endpoint"})
        elif request.path == "/health":
            handler.respond(200, {"status": "OK"})
        else:
            handler.respond(404, NOT_FOUND)

    return ScriptedGateway(script, tls)


class _Once:
    """Returns true for every second request."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __call__(self) -> bool:
        with self._lock:
            self._count += 1
            return self._count % 2 == 1


def _respond(handler: Handler, body: dict, once: _Once) -> None:
    if "input" in body:
        handler.respond(200, {"data": [{"embedding": [1.0, 2.0]} for _ in body["input"]]})
        return
    text = body["prompt"] if "prompt" in body else body["messages"][0]["content"]
    kind = text.split(" ")[0]
    if kind == "later":
        time.sleep(PAUSE)
    if body.get("stream"):
        _stream(handler, kind, text)
    elif kind == "stall":
        handler.stall()
    elif kind == "503":
        handler.respond(503, {"detail": "busy"})
    elif text == "once 429" and once():
        handler.respond(429, {"detail": "too many"}, {"Retry-After": "1"})
    elif kind == "cut":
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    elif kind == "long":
        handler.respond(200, {"choices": [{"text": LONG}]})
    elif text == "deep":
        handler.respond(200, f'{{"choices": {DEEP}}}')
    elif text == "deep 400":
        handler.respond(400, f'{{"detail": {DEEP}}}')
    elif kind == "deep":
        handler.respond(200, f'{{"x": {DEEP}, "choices": [{{"text": "{text}", "y": {DEEP}}}]}}')
    else:
        handler.respond(200, {"choices": [{"text": text}]})


def _stream(handler: Handler, kind: str, text: str) -> None:
    """Sends two pieces with a pause between; for "stall" none, and for "half" only the first."""
    if kind == "stall":
        handler.stall()
        return
    half = len(text) // 2
    first, second = events(chunk(text[:half])).encode(), events(chunk(text[half:]), chunk(None, finish_reason="stop"))
    handler.wfile.write(head("chunked", 0) + framed(first, "chunked")[: -len(b"0\r\n\r\n")])
    handler.wfile.flush()
    if kind == "half":
        handler.stall()
        return
    time.sleep(PAUSE)
    handler.wfile.write(framed(second.encode(), "chunked"))
