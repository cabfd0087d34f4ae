"""Faults of a stream of events. Operations that did not request a stream get one, too, and must reject it."""

from collections.abc import Callable

from support.event_streams import chunk, events

from faults import responses
from faults.responses import STREAMED
from faults.peer import Peer
from faults.server import Fault

FIRST = events(chunk(responses.TEXT, role="assistant")).encode()
FINISH = events(chunk(None, finish_reason="stop")).encode()
DONE = b"data: [DONE]\n\n"
HEAD = responses.head(content_type="text/event-stream")
PAUSE = 0.05
DEPTH = 100_000


WITH_EMPTY_ERROR = b'{"choices":[{"delta":{"content":"%s"}}],"error":{}}' % responses.TEXT.encode()
SPLIT_SURROGATE_PAIR = (
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\ndata: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n'
)


def streaming(body: bytes, end: Callable[[Peer], None] = Peer.half_close) -> Fault:
    """Sends these events, then calls `end`."""

    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(HEAD + body, pause=PAUSE)
        end(peer)
        peer.read_until_closed()

    return fault


def streaming_forever(body: bytes, piece: bytes, pause: float = 0) -> Fault:
    def fault(peer: Peer, _: str) -> None:
        peer.read_request()
        peer.send(HEAD + body)
        peer.send_forever(piece, pause)

    return fault


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


FAULTS: dict[str, Fault] = {
    "closes before the first event": streaming(b""),
    "stalls before the first event": streaming(b"", Peer.read_until_closed),
    "closes between events": streaming(FIRST),
    "resets between events": streaming(FIRST, Peer.reset),
    "stalls between events": streaming(FIRST, Peer.read_until_closed),
    "closes in an event": streaming(FIRST + FIRST[:20]),
    "closes after the finish reason": streaming(FIRST + FINISH),
    "resets after the finish reason": streaming(FIRST + FINISH, Peer.reset),
    "stalls after [DONE]": streaming(STREAMED, Peer.read_until_closed),
    "endless comments": streaming_forever(FIRST, b": ping\n\n", 0.01),
    "endless empty events": streaming_forever(FIRST, b"data:\n\ndata\n\n", 0.01),
    "flood of comments": streaming_forever(FIRST, b": ping\n\n" * 1000),
    "endless event line": streaming_forever(FIRST + b"data: ", b"x" * 1000),
    "endless event": streaming_forever(FIRST, b"data: x\n" * 100),
    "endless text events": streaming_forever(FIRST, FIRST.replace(b"Bonjour", b"Bonjour" * 100) * 10),
    "error object in an event": streaming(FIRST + event(b'{"error":{"message":"out of order"}}')),
    "error field": streaming(FIRST + b'error: {"code":500,"message":"out of order"}\n\n' + DONE),
    "error field without a blank line": streaming(
        FIRST + b'error: {"message":"out of order"}\n', Peer.read_until_closed
    ),
    "event named error": streaming(FIRST + b"event: error\ndata: out of order\n\n" + DONE),
    "event named error without data": streaming(FIRST + b"event: error\n\n" + DONE),
    "event with a status code": streaming(FIRST + event(b'{"status_code":500,"message":"out of order"}') + DONE),
    "rate limit error in an event": streaming(
        FIRST + event(b'{"error":{"message":"429: Rate limit reached","type":"HTTPException"}}')
    ),
    "guardrail error in an event": streaming(
        FIRST + event(b'{"error":{"message":"Guardrail x blocked","type":"GuardrailViolation"}}')
    ),
    "empty error object in an event": streaming(event(WITH_EMPTY_ERROR) + DONE),
    "error object in an incomplete event": streaming(FIRST + b'data: {"error":{"message":"out of order"}}'),
    "empty finish reasons": streaming(FIRST.replace(b"null}]", b'""}]')),
    "[DONE] without a blank line": streaming(STREAMED[:-1], Peer.read_until_closed),
    "lone surrogate in an event": streaming(
        event(b'{"choices":[{"delta":{"content":"Bonjo\\ud83d"}}]}') + FINISH
    ),
    "surrogate pair split over two events": streaming(SPLIT_SURROGATE_PAIR + FINISH),
    "message instead of a delta": streaming(STREAMED.replace(b'"delta"', b'"message"')),
    "broken JSON in an event": streaming(FIRST + event(b'{"choices":[')),
    "HTML in an event": streaming(FIRST + event(b"<html>")),
    "deeply nested JSON in an event": streaming(FIRST + event(b"[" * DEPTH)),
    "event that is not UTF-8": streaming(FIRST + event(b'{"choices":[{"delta":{"content":"\xff"}}]}') + DONE),
    "event of candidate 9999999999": streaming(
        FIRST + event(b'{"choices":[{"index":9999999999,"delta":{"content":"x"}}]}')
    ),
    "NUL bytes in an event": streaming(FIRST + event(b"\0\0\0\0")),
    "only [DONE]": streaming(DONE),
    "event without candidates": streaming(event(b'{"choices":[]}') + DONE),
    "byte order mark before the events": streaming(b"\xef\xbb\xbf" + STREAMED),
    "events with bare carriage returns": streaming(STREAMED.replace(b"\n", b"\r")),
    "events after [DONE]": streaming(STREAMED + FIRST),
}
