"""A script for the chat route of a gateway: it responds predictably, in a stream or at once."""

import itertools
import json
import time
from collections.abc import Iterable

from gateways import scripted_responses

from support.scripted_gateway import Handler, Request, ScriptedGateway

SECONDS_BETWEEN_SLOW_WORDS = 0.02

CITY_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {"name": "get_temperature", "description": "Returns the temperature of a city.", "parameters": CITY_SCHEMA}
TOOLS = [{"type": "function", "function": TOOL}]


def model(handler: Handler, request: Request) -> None:
    """Responds as the scripted upstream does.

    The last message controls a stream: `slow` continues it until the peer closes, and `broken` cuts it off.
    """
    prompt = scripted_responses.chat_request(request.json())
    if not prompt.body.get("stream"):
        handler.respond(200, scripted_responses.response(prompt))
        return
    chunks: Iterable[dict] = list(scripted_responses.chunks(prompt))
    if "slow" in prompt.text:
        chunks = itertools.chain(chunks[:-1], itertools.repeat(chunks[-2]))
    elif "broken" in prompt.text:
        chunks = chunks[:-1]
    handler.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for chunk in chunks:
        handler.raw(f"data: {json.dumps(chunk)}\n\n".encode())
        handler.wfile.flush()
        if "slow" in prompt.text:
            time.sleep(SECONDS_BETWEEN_SLOW_WORDS)


def post_requests(gateway: ScriptedGateway) -> list[Request]:
    """Returns the POST requests, without those of discovery."""
    return [request for request in gateway.requests if request.method == "POST"]


def messages(request: Request) -> list[tuple[str, str]]:
    """Returns the role and the content of each message of a request."""
    return [(message["role"], message["content"]) for message in request.json()["messages"]]
