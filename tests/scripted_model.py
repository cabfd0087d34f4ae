"""A gateway's chat route as a script: it answers what a test can foresee, in a stream or at once."""

import itertools
import json
import time
from collections.abc import Iterable

from gateways import scripted_answers
from scripted_gateway import Handler, Request, ScriptedGateway

SECONDS_BETWEEN_SLOW_WORDS = 0.02


def model(handler: Handler, request: Request) -> None:
    """Answers as the scripted upstream does.

    Words in the last message command the stream: `slow` makes it go on until the peer leaves, and `broken` ends it
    before the answer is complete.
    """
    question = scripted_answers.chat_request(request.json())
    if not question.body.get("stream"):
        handler.answer(200, scripted_answers.response(question))
        return
    chunks: Iterable[dict] = list(scripted_answers.chunks(question))
    if "slow" in question.text:
        chunks = itertools.chain(chunks[:-1], itertools.repeat(chunks[-2]))
    elif "broken" in question.text:
        chunks = chunks[:-1]
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for chunk in chunks:
        handler.raw(f"data: {json.dumps(chunk)}\n\n".encode())
        handler.wfile.flush()
        if "slow" in question.text:
            time.sleep(SECONDS_BETWEEN_SLOW_WORDS)


def questions(gateway: ScriptedGateway) -> list[Request]:
    """What was asked, without what was asked about the gateway itself."""
    return [request for request in gateway.requests if request.method == "POST"]


def messages(request: Request) -> list[tuple[str, str]]:
    """Who said what in a question."""
    return [(message["role"], message["content"]) for message in request.json()["messages"]]
