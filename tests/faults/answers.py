"""What a gateway answers that has no fault: each fault begins or ends as one of these."""

import json
from typing import NamedTuple

from support.event_streams import chunk, events

ROUTE = "r"
TEXT = "Bonjour"
VECTOR = [0.25, 0.5]

TASKS = {"call": "completions", "send": "completions", "stream": "chat", "callback": "chat", "embed": "embeddings", "raw": "chat"}
"""What the route is for by which each operation asks; a list is of routes of any kind."""

STREAMED = events(chunk("Bon", role="assistant"), chunk("jour"), chunk(None, finish_reason="stop"), "[DONE]").encode()


class Question(NamedTuple):
    """A request, as far as its first line tells: `GET /FAULT/OPERATION/...`."""

    method: str
    fault: str
    operation: str
    path: str

    @staticmethod
    def of(head: bytes) -> "Question":
        method, target, _ = head.decode("latin-1").split("\r\n")[0].split(" ", 2)
        _, fault, operation, path = target.split("/", 3)
        return Question(method, fault, operation, "/" + path)

    @property
    def is_own(self) -> bool:
        """Whether it is the one that the operation is about, and not one about the gateway beside it."""
        return self.method == ("GET" if self.operation == "list" else "POST")


def path_of(operation: str) -> str:
    """Where an operation's own question goes."""
    return "/api/2.0/endpoints/" if operation == "list" else f"/endpoints/{ROUTE}/invocations"


def is_streamed(operation: str) -> bool:
    """Whether its answer comes in events."""
    return operation in ("stream", "callback")


def content_type(operation: str) -> str:
    """That of a good answer."""
    return "text/event-stream" if is_streamed(operation) else "application/json"


def content(operation: str) -> bytes:
    """The body of a good answer."""
    if is_streamed(operation):
        return STREAMED
    if operation == "embed":
        return json.dumps({"data": [{"embedding": VECTOR, "index": 0}], "model": "m", "usage": {}}).encode()
    if operation == "list":
        return json.dumps({"endpoints": [route("call")], "next_page_token": None}).encode()
    return json.dumps({"choices": [{"text": TEXT, "index": 0, "finish_reason": "stop"}], "model": "m"}).encode()


def route(operation: str) -> dict:
    """What the gateway says of the route by which an operation asks."""
    model = {"name": "m", "provider": "openai"}
    return {"name": ROUTE, "endpoint_type": f"llm/v1/{TASKS[operation]}", "model": model}


def beside(question: Question) -> bytes:
    """The answer to a question that is not the operation's own."""
    if question.path == f"/api/2.0/endpoints/{ROUTE}":
        return answer(json.dumps(route(question.operation)).encode())
    if question.path == path_of("list"):
        return answer(content("list"))
    return answer(b'{"detail":"Not Found"}', "404 Not Found")


def head(*headers: str, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """An answer's head."""
    lines = (f"HTTP/1.1 {status}", *((f"Content-Type: {content_type}",) if content_type else ()), *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def answer(body: bytes, status: str = "200 OK", content_type: str = "application/json") -> bytes:
    """A whole answer."""
    return head(f"Content-Length: {len(body)}", status=status, content_type=content_type) + body


def good(operation: str) -> bytes:
    """A whole answer as it should be."""
    return answer(content(operation), content_type=content_type(operation))
