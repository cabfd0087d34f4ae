"""The responses of the scripted upstream in other APIs than OpenAI's chat: whole, or as server-sent events.

The text is "echo: " and the last text of the user. Gemini also supports tool calls:

    !rounds 3     3 turns with tool calls before the text: two calls in the first turn, and one in each other turn

Each tool call has a signature. A later turn without the signature is rejected, as Gemini does.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]

CITIES = (("Paris", "Oslo"), ("Cairo",))


class Response(NamedTuple):
    """A response, and the same as events of a stream: their names (may be empty) and data."""

    status: int
    body: Json
    events: list[tuple[str, Json]]


def responses(body: Json) -> Response:
    """POST /v1/responses."""
    given = body.get("input", "")
    text = "echo: " + (given if isinstance(given, str) else given[-1]["content"])
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}
    whole = {"id": "resp_1", "object": "response", "status": "completed", "model": body.get("model"), "output": [message]}
    names = ("response.created", *["response.output_text.delta"] * 2, "response.completed")
    data = ({"response": {"id": "resp_1"}}, {"delta": text[:6]}, {"delta": text[6:]}, {"response": whole})
    return Response(200, whole, [(name, {"type": name, **one}) for name, one in zip(names, data)])


def anthropic_messages(body: Json) -> Response:
    """POST /v1/messages."""
    text = "echo: " + body["messages"][-1]["content"]
    whole = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model"), "stop_reason": "end_turn",
        "content": [{"type": "text", "text": text}], "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip
    deltas = [("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": part}}) for part in (text[:6], text[6:])]
    events = [("message_start", {"message": {**whole, "content": []}}), *deltas, ("message_stop", {})]
    return Response(200, whole, [(name, {"type": name, **data}) for name, data in events])


def gemini(body: Json) -> Response:
    """POST /v1beta/models/NAME:generateContent, and :streamGenerateContent."""
    contents = body["contents"]
    turns = [[part for part in turn["parts"] if "functionCall" in part] for turn in contents if turn["role"] == "model"]
    if any("thoughtSignature" not in part for calls in turns for part in calls):
        status = {"code": 400, "message": "Function call is missing a thought_signature", "status": "INVALID_ARGUMENT"}
        return Response(400, {"error": status}, [])
    rounds = re.search(r"!rounds (\d+)", contents[0]["parts"][0].get("text", ""))
    calling = [turn for turn in turns if turn]
    if rounds and len(calling) < int(rounds[1]):
        parts = [_call(len(calling), number, city) for number, city in enumerate(CITIES[min(len(calling), 1)])]
    else:
        parts = [{"text": f"echo: {_last_text(contents[-1])}"}]
    whole = {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3},
        "modelVersion": "scripted",
    }
    return Response(200, whole, [("", whole)])


def event_lines(events: list[tuple[str, Json]]) -> Iterator[bytes]:
    """The lines of each event."""
    for name, data in events:
        yield (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}\n\n".encode()


def _call(turn: int, number: int, city: str) -> Json:
    call = {"name": "get_temperature", "args": {"city": city}, "id": f"call_{turn}_{number}"}
    return {"functionCall": call, "thoughtSignature": f"signature {turn}.{number}"}


def _last_text(turn: Json) -> str:
    part = turn["parts"][-1]
    if "functionResponse" in part:
        return json.dumps(part["functionResponse"]["response"])
    return part.get("text", "")
