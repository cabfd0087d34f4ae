"""The valid responses of a gateway. Each fault is a modification of one of these."""

import json
from typing import NamedTuple

from support.event_streams import chunk, events

ROUTE = "r"
TEXT = "Bonjour"
EMBEDDING = [0.25, 0.5]

def direct(operation: str) -> str:
    """The direct operation to which one of a queue is equal."""
    return operation.removeprefix("queue-")


ROUTE_TYPES = {
    "call": "completions", "send": "completions", "stream": "chat", "callback": "chat", "embed": "embeddings",
    "raw": "chat",
}  # fmt: skip
"""The type of the route that each operation uses."""

STREAMED = events(chunk("Bon", role="assistant"), chunk("jour"), chunk(None, finish_reason="stop"), "[DONE]").encode()


class Request(NamedTuple):
    """The request line of a request: `GET /FAULT/OPERATION/...`."""

    method: str
    fault: str
    operation: str
    path: str

    @staticmethod
    def parse(head: bytes) -> "Request":
        method, target, _ = head.decode("latin-1").split("\r\n")[0].split(" ", 2)
        _, fault, operation, path = target.split("/", 3)
        return Request(method, fault, operation, "/" + path)

    @property
    def is_operation(self) -> bool:
        """Whether this is the request of the operation itself, and not of the dialect discovery."""
        return self.method == ("GET" if self.operation == "list" else "POST")


def path_of(operation: str) -> str:
    """The path of an operation's request."""
    return "/api/2.0/endpoints/" if operation == "list" else f"/endpoints/{ROUTE}/invocations"


def is_streamed(operation: str) -> bool:
    """Whether the response is a stream of events."""
    return direct(operation) in ("stream", "callback")


def content_type(operation: str) -> str:
    """The Content-Type of the valid response."""
    return "text/event-stream" if is_streamed(operation) else "application/json"


def content(operation: str) -> bytes:
    """The body of the valid response."""
    if is_streamed(operation):
        return STREAMED
    if direct(operation) == "embed":
        return json.dumps({"data": [{"embedding": EMBEDDING, "index": 0}], "model": "m", "usage": {}}).encode()
    if operation == "list":
        return json.dumps({"endpoints": [route("call")], "next_page_token": None}).encode()
    return json.dumps({"choices": [{"text": TEXT, "index": 0, "finish_reason": "stop"}], "model": "m"}).encode()


def route(operation: str) -> dict:
    """The JSON of the route that an operation uses."""
    model = {"name": "m", "provider": "openai"}
    return {"name": ROUTE, "endpoint_type": f"llm/v1/{ROUTE_TYPES[direct(operation)]}", "model": model}


def discovery_response(request: Request) -> bytes:
    """The response to a request of the dialect discovery."""
    if request.path == f"/api/2.0/endpoints/{ROUTE}":
        return response(json.dumps(route(request.operation)).encode())
    if request.path == path_of("list"):
        return response(content("list"))
    return response(b'{"detail":"Not Found"}', "404 Not Found")


def head(*headers: str, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """A response head."""
    lines = (f"HTTP/1.1 {status}", *((f"Content-Type: {content_type}",) if content_type else ()), *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def response(body: bytes, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """A whole response."""
    return head(f"Content-Length: {len(body)}", status=status, content_type=content_type) + body


def valid_response(operation: str) -> bytes:
    """The whole valid response."""
    return response(content(operation), content_type=content_type(operation))
