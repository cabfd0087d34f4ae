"""Faults of what an answer says, and under which status and type it says it."""

import gzip
from collections.abc import Callable

from faults import answers
from faults.answers import content, content_type, head
from faults.peer import Peer
from faults.server import Play

PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Who are you?</body></html>"
WHOLE = b'{"choices":[{"message":{"role":"assistant","content":"Bonjour"},"finish_reason":"stop"}]}'
DEPTH = 100_000

Body = Callable[[bytes], bytes]


def whole(body: Body, *headers: str, status: str = "200 OK") -> Play:
    """A body that is made of a good one, under a length that fits and the type that it should have."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        made = body(content(operation))
        length = f"Content-Length: {len(made)}"
        peer.send(head(length, *headers, status=status, content_type=content_type(operation)) + made)

    return play


def under_type(content_type: str, body: Body = lambda body: body) -> Play:
    """The same under another type."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        peer.send(answers.answer(body(content(operation)), content_type=content_type))

    return play


def as_data(text: bytes) -> Play:
    """This as the whole answer, and for a stream as the data of its only event."""

    def play(peer: Peer, operation: str) -> None:
        peer.take()
        body = b"data: " + text + b"\n\n" if answers.is_streamed(operation) else text
        peer.send(answers.answer(body, content_type=content_type(operation)))

    return play


def with_fields(fields: bytes) -> Play:
    """A good body with these fields before its own, or in each event."""

    def add(body: bytes) -> bytes:
        start = b"data: {" if body == answers.STREAMED else b"{"
        return body.replace(start, start + fields + b",", -1 if body == answers.STREAMED else 1)

    return whole(add)


def refusing(status: str, body: bytes = b"", *headers: str) -> Play:
    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(head(f"Content-Length: {len(body)}", *headers, status=status, content_type="") + body)

    return play


def cut_refusal(end: Callable[[Peer], None]) -> Play:
    """A refusal of whose words only the first ones come."""

    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(head("Content-Length: 1000", status="503 Service Unavailable") + b'{"detail": "over', pause=0.05)
        end(peer)

    return play


def refuse_for_ever(peer: Peer, _: str) -> None:
    peer.take()
    peer.send(head(status="422 Unprocessable Content"))
    peer.send_for_ever(b"x" * 1000)


def at_once(body: bytes) -> bytes:
    """What a stream would come to, as a whole answer."""
    return WHOLE if body == answers.STREAMED else body


FAULTS: dict[str, Play] = {
    "empty body": whole(lambda _: b""),
    "half of the body": whole(lambda body: body[: len(body) // 2]),
    "page": under_type("text/html", lambda _: PAGE),
    "page under a good type": whole(lambda _: PAGE),
    "good body as a page": under_type("text/html"),
    "good body without a type": under_type(""),
    "good body as JSON": under_type("application/json; charset=utf-8"),
    "good body as plain text": under_type("text/plain"),
    "good body as events": under_type("text/event-stream"),
    "answer at once": under_type("application/json", at_once),
    "gzip that was not asked for": whole(gzip.compress, "Content-Encoding: gzip"),
    "gzip of a refusal": refusing("502 Bad Gateway", gzip.compress(PAGE), "Content-Encoding: gzip"),
    "no encoding by name": whole(lambda body: body, "Content-Encoding: none"),
    "no encoding by an empty name": whole(lambda body: body, "Content-Encoding:"),
    "an alphabet as encoding": whole(lambda body: body, "Content-Encoding: utf-8"),
    "gzip that is not announced": whole(gzip.compress),
    "body after a byte order mark": whole(lambda body: b"\xef\xbb\xbf" + body),
    "body of UTF-16": whole(lambda body: body.decode().encode("utf-16")),
    "body of NUL bytes": whole(lambda body: b"\0" * 1000),
    "body and more": whole(lambda body: body + b"and more"),
    "deep JSON": as_data(b"[" * DEPTH),
    "deep JSON in a field": as_data(b'{"choices":' + b"[" * DEPTH + b"]" * DEPTH + b"}"),
    "JSON that is not UTF-8": as_data(b'{"choices":[{"text":"\xff\xfe"}]}'),
    "JSON with half of a letter": as_data(b'{"choices":[{"text":"\\ud800"}]}'),
    "JSON null": as_data(b"null"),
    "JSON of a number": as_data(b"1e999"),
    "JSON of nothing": as_data(b"{}"),
    "no candidates": as_data(b'{"choices":[],"data":[],"endpoints":[]}'),
    "an error as an answer": as_data(b'{"error":{"message":"out of order"}}'),
    "an error of a limit as an answer": as_data(b'{"error":{"message":"out of order","code":429}}'),
    "an error beside the answer": with_fields(b'"error":{"message":"out of order"}'),
    "an error that says nothing beside the answer": with_fields(b'"error":{}'),
    "fields twice": with_fields(b'"model":"x","usage":{},"usage":null'),
    "JSON and a sign behind it": as_data(b'{"a":"b"}#'),
    "status 204": refusing("204 No Content"),
    "status 304": refusing("304 Not Modified"),
    "status 302": refusing("302 Found", b"", "Location: http://127.0.0.1:1/login"),
    "status 401": refusing("401 Unauthorized", b"who are you?"),
    "status 404 with a page": refusing("404 Not Found", PAGE),
    "status 429": refusing("429 Too Many Requests", b"{}", "Retry-After: 99999999999999999999"),
    "status 500 with a page": refusing("500 Internal Server Error", PAGE),
    "status 502 that is not UTF-8": refusing("502 Bad Gateway", b"\xff\xfe\0"),
    "status 503 for half a minute": refusing("503 Service Unavailable", b"{}", "Retry-After: 30"),
    "status 503 and closes in its words": cut_refusal(Peer.cut),
    "status 503 and resets in its words": cut_refusal(Peer.reset),
    "status 503 and stalls in its words": cut_refusal(Peer.read_on),
    "status 422 without an end": refuse_for_ever,
}
