"""Faults of the body, the status and the Content-Type of a response."""

import gzip
from collections.abc import Callable

from faults import responses
from faults.responses import content, content_type, head
from faults.peer import Peer
from faults.server import Fault

PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Who are you?</body></html>"
WHOLE = b'{"choices":[{"message":{"role":"assistant","content":"Bonjour"},"finish_reason":"stop"}]}'
DEPTH = 100_000

Body = Callable[[bytes], bytes]


def with_body(body: Body, *headers: str, status: str = "200 OK") -> Fault:
    """Sends a body derived from the valid one, with the right Content-Length and Content-Type."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        made = body(content(operation))
        length = f"Content-Length: {len(made)}"
        peer.send(head(length, *headers, status=status, content_type=content_type(operation)) + made)

    return fault


def with_content_type(content_type: str, body: Body = lambda body: body) -> Fault:
    """Sends a body derived from the valid one, with another Content-Type."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        peer.send(responses.response(body(content(operation)), content_type=content_type))

    return fault


def with_json(text: bytes) -> Fault:
    """Sends this JSON as the body, or for a stream as the data of its only event."""

    def fault(peer: Peer, operation: str) -> None:
        peer.read_request()
        body = b"data: " + text + b"\n\n" if responses.is_streamed(operation) else text
        peer.send(responses.response(body, content_type=content_type(operation)))

    return fault


def with_fields(fields: bytes) -> Fault:
    """Inserts these JSON fields in the valid body, or in each of its events."""

    def add(body: bytes) -> bytes:
        start = b"data: {" if body == responses.STREAMED else b"{"
        return body.replace(start, start + fields + b",", -1 if body == responses.STREAMED else 1)

    return with_body(add)


def responding_with_status(status: str, body: bytes = b"", *headers: str) -> Fault:
    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(head(f"Content-Length: {len(body)}", *headers, status=status, content_type="") + body)

    return fault


def cutting_error_body(end: Callable[[Peer], None]) -> Fault:
    """Sends status 503 with a truncated body, then calls `end`."""

    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(head("Content-Length: 1000", status="503 Service Unavailable") + b'{"detail": "over', pause=0.05)
        end(peer)

    return fault


def respond_with_endless_error_body(peer: Peer, _: str) -> None:
    peer.read_request()
    peer.send(head(status="422 Unprocessable Content"))
    peer.send_forever(b"x" * 1000)


def as_json(body: bytes) -> bytes:
    """Replaces a stream by a JSON response with the same text."""
    return WHOLE if body == responses.STREAMED else body


FAULTS: dict[str, Fault] = {
    "empty body": with_body(lambda _: b""),
    "half of the body": with_body(lambda body: body[: len(body) // 2]),
    "HTML page": with_content_type("text/html", lambda _: PAGE),
    "HTML page with the right Content-Type": with_body(lambda _: PAGE),
    "valid body as text/html": with_content_type("text/html"),
    "valid body without Content-Type": with_content_type(""),
    "valid body as application/json": with_content_type("application/json; charset=utf-8"),
    "valid body as text/plain": with_content_type("text/plain"),
    "valid body as text/event-stream": with_content_type("text/event-stream"),
    "JSON instead of a stream": with_content_type("application/json", as_json),
    "unrequested gzip": with_body(gzip.compress, "Content-Encoding: gzip"),
    "gzip error response": responding_with_status("502 Bad Gateway", gzip.compress(PAGE), "Content-Encoding: gzip"),
    "Content-Encoding none": with_body(lambda body: body, "Content-Encoding: none"),
    "empty Content-Encoding": with_body(lambda body: body, "Content-Encoding:"),
    "Content-Encoding utf-8": with_body(lambda body: body, "Content-Encoding: utf-8"),
    "gzip without Content-Encoding": with_body(gzip.compress),
    "byte order mark before the body": with_body(lambda body: b"\xef\xbb\xbf" + body),
    "body in UTF-16": with_body(lambda body: body.decode().encode("utf-16")),
    "body of NUL bytes": with_body(lambda body: b"\0" * 1000),
    "text after the body": with_body(lambda body: body + b"and more"),
    "deeply nested JSON": with_json(b"[" * DEPTH),
    "deeply nested JSON in a field": with_json(b'{"choices":' + b"[" * DEPTH + b"]" * DEPTH + b"}"),
    "JSON that is not UTF-8": with_json(b'{"choices":[{"text":"\xff\xfe"}]}'),
    "JSON with a lone surrogate": with_json(b'{"choices":[{"text":"\\ud800"}]}'),
    "JSON null": with_json(b"null"),
    "JSON number": with_json(b"1e999"),
    "empty JSON object": with_json(b"{}"),
    "no candidates": with_json(b'{"choices":[],"data":[],"endpoints":[]}'),
    "error object": with_json(b'{"error":{"message":"out of order"}}'),
    "rate limit error object": with_json(b'{"error":{"message":"out of order","code":429}}'),
    "response with an error object": with_fields(b'"error":{"message":"out of order"}'),
    "response with an empty error object": with_fields(b'"error":{}'),
    "duplicate fields": with_fields(b'"model":"x","usage":{},"usage":null'),
    "character after the JSON": with_json(b'{"a":"b"}#'),
    "status 204": responding_with_status("204 No Content"),
    "status 304": responding_with_status("304 Not Modified"),
    "status 302": responding_with_status("302 Found", b"", "Location: http://127.0.0.1:1/login"),
    "status 401": responding_with_status("401 Unauthorized", b"who are you?"),
    "status 404 with an HTML page": responding_with_status("404 Not Found", PAGE),
    "status 429": responding_with_status("429 Too Many Requests", b"{}", "Retry-After: 99999999999999999999"),
    "status 500 with an HTML page": responding_with_status("500 Internal Server Error", PAGE),
    "status 502 with a body that is not UTF-8": responding_with_status("502 Bad Gateway", b"\xff\xfe\0"),
    "status 503 with Retry-After 30": responding_with_status("503 Service Unavailable", b"{}", "Retry-After: 30"),
    "status 503 and closes in the body": cutting_error_body(Peer.cut),
    "status 503 and resets in the body": cutting_error_body(Peer.reset),
    "status 503 and stalls in the body": cutting_error_body(Peer.read_until_closed),
    "status 422 with an endless body": respond_with_endless_error_body,
}
