"""Faults of a stream of events. Who asked for no stream gets one all the same, and has to find that wrong."""

from collections.abc import Callable

from support.event_streams import chunk, events

from faults import answers
from faults.answers import STREAMED
from faults.peer import Peer
from faults.server import Play

FIRST = events(chunk(answers.TEXT, role="assistant")).encode()
FINISH = events(chunk(None, finish_reason="stop")).encode()
DONE = b"data: [DONE]\n\n"
HEAD = answers.head(content_type="text/event-stream")
A_MOMENT = 0.05
DEPTH = 100_000


WITH_NO_ERROR = b'{"choices":[{"delta":{"content":"%s"}}],"error":{}}' % answers.TEXT.encode()
LETTER_IN_TWO = (
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\ndata: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n'
)


def streaming(body: bytes, end: Callable[[Peer], None] = Peer.half_close) -> Play:
    """These events, until the connection is closed, and then this."""

    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(HEAD + body, pause=A_MOMENT)
        end(peer)
        peer.read_on()

    return play


def for_ever(body: bytes, piece: bytes, pause: float = 0) -> Play:
    def play(peer: Peer, _: str) -> None:
        peer.take()
        peer.send(HEAD + body)
        peer.send_for_ever(piece, pause)

    return play


def event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


FAULTS: dict[str, Play] = {
    "closes before the first event": streaming(b""),
    "stalls before the first event": streaming(b"", Peer.read_on),
    "closes between events": streaming(FIRST),
    "resets between events": streaming(FIRST, Peer.reset),
    "stalls between events": streaming(FIRST, Peer.read_on),
    "closes in an event": streaming(FIRST + FIRST[:20]),
    "closes behind the reason of the end": streaming(FIRST + FINISH),
    "resets behind the reason of the end": streaming(FIRST + FINISH, Peer.reset),
    "stalls behind the end": streaming(STREAMED, Peer.read_on),
    "comments without an end": for_ever(FIRST, b": ping\n\n", 0.01),
    "empty events without an end": for_ever(FIRST, b"data:\n\ndata\n\n", 0.01),
    "a flood of comments": for_ever(FIRST, b": ping\n\n" * 1000),
    "a line without an end": for_ever(FIRST + b"data: ", b"x" * 1000),
    "an event without an end": for_ever(FIRST, b"data: x\n" * 100),
    "texts without an end": for_ever(FIRST, FIRST.replace(b"Bonjour", b"Bonjour" * 100) * 10),
    "an error as an event": streaming(FIRST + event(b'{"error":{"message":"out of order"}}')),
    "an error by its field": streaming(FIRST + b'error: {"code":500,"message":"out of order"}\n\n' + DONE),
    "an error by its field alone": streaming(FIRST + b'error: {"message":"out of order"}\n', Peer.read_on),
    "an error by the event's name": streaming(FIRST + b"event: error\ndata: out of order\n\n" + DONE),
    "an error without a word": streaming(FIRST + b"event: error\n\n" + DONE),
    "an error with a status": streaming(FIRST + event(b'{"status_code":500,"message":"out of order"}') + DONE),
    "an error of a limit": streaming(
        FIRST + event(b'{"error":{"message":"429: Rate limit reached","type":"HTTPException"}}')
    ),
    "an error of a guardrail": streaming(
        FIRST + event(b'{"error":{"message":"Guardrail x blocked","type":"GuardrailViolation"}}')
    ),
    "an error that says nothing": streaming(event(WITH_NO_ERROR) + DONE),
    "an error without an end": streaming(FIRST + b'data: {"error":{"message":"out of order"}}'),
    "empty reasons of the end": streaming(FIRST.replace(b"null}]", b'""}]')),
    "the end without its blank line": streaming(STREAMED[:-1], Peer.read_on),
    "half of a letter as an event": streaming(
        event(b'{"choices":[{"delta":{"content":"Bonjo\\ud83d"}}]}') + FINISH
    ),
    "a letter in two events": streaming(LETTER_IN_TWO + FINISH),
    "message in place of a delta": streaming(STREAMED.replace(b'"delta"', b'"message"')),
    "broken JSON as an event": streaming(FIRST + event(b'{"choices":[')),
    "a page as an event": streaming(FIRST + event(b"<html>")),
    "deep JSON as an event": streaming(FIRST + event(b"[" * DEPTH)),
    "an event that is not UTF-8": streaming(FIRST + event(b'{"choices":[{"delta":{"content":"\xff"}}]}') + DONE),
    "an event of a candidate too many": streaming(
        FIRST + event(b'{"choices":[{"index":9999999999,"delta":{"content":"x"}}]}')
    ),
    "an event of NUL bytes": streaming(FIRST + event(b"\0\0\0\0")),
    "only the end": streaming(DONE),
    "no candidates as an event": streaming(event(b'{"choices":[]}') + DONE),
    "events after a byte order mark": streaming(b"\xef\xbb\xbf" + STREAMED),
    "events of bare carriage returns": streaming(STREAMED.replace(b"\n", b"\r")),
    "more events behind the end": streaming(STREAMED + FIRST),
}
