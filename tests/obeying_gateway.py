"""A gateway that does with a question what its first word asks for, as tests/c/fast_gateway.c does, but over TLS, too,
and for what is not asked often: so a program in C can try everything against one server."""

import ssl
import threading
import time
from typing import Optional

from event_streams import chunk, events, framed, head
from scripted_gateway import NOT_FOUND, Handler, Request, ScriptedGateway

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
            _answer(handler, request.json(), once)
        elif request.path.startswith("/api/2.0/endpoints/"):
            name = request.path.rsplit("/", 1)[1]
            found = [route for route in ROUTES if name in ("", route["name"])]
            if name == "":
                handler.answer(200, {"endpoints": found})
            elif found:
                handler.answer(200, found[0])
            else:
                handler.answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such endpoint"})
        elif request.path == "/health":
            handler.answer(200, {"status": "OK"})
        else:
            handler.answer(404, NOT_FOUND)

    return ScriptedGateway(script, tls)


class _Once:
    """Says of every second question that it is the first one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def __call__(self) -> bool:
        with self._lock:
            self._count += 1
            return self._count % 2 == 1


def _answer(handler: Handler, question: dict, once: _Once) -> None:
    if "input" in question:
        handler.answer(200, {"data": [{"embedding": [1.0, 2.0]} for _ in question["input"]]})
        return
    text = question["prompt"] if "prompt" in question else question["messages"][0]["content"]
    kind = text.split(" ")[0]
    if kind == "later":
        time.sleep(PAUSE)
    if question.get("stream"):
        _stream(handler, kind, text)
    elif kind == "stall":
        handler.stall()
    elif kind == "503":
        handler.answer(503, {"detail": "busy"})
    elif text == "once 429" and once():
        handler.answer(429, {"detail": "too many"}, {"Retry-After": "1"})
    elif kind == "cut":
        handler.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    elif kind == "long":
        handler.answer(200, {"choices": [{"text": LONG}]})
    elif text == "deep":
        handler.answer(200, f'{{"choices": {DEEP}}}')
    elif text == "deep 400":
        handler.answer(400, f'{{"detail": {DEEP}}}')
    elif kind == "deep":
        handler.answer(200, f'{{"x": {DEEP}, "choices": [{{"text": "{text}", "y": {DEEP}}}]}}')
    else:
        handler.answer(200, {"choices": [{"text": text}]})


def _stream(handler: Handler, kind: str, text: str) -> None:
    """In two pieces, with a pause between; of "stall" nothing, and of "half" the first one."""
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
