"""The gateway that the programs of the documentation run against: each kind of route, with fixed responses."""

import json
from typing import Optional

from support.event_streams import chunk, events, usage_chunk
from support.scripted_gateway import NOT_FOUND, Handler, Request, ScriptedGateway

ROUTES = [
    {
        "name": name,
        "endpoint_type": f"llm/v1/{name}",
        "endpoint_url": f"/endpoints/{name}/invocations",
        "model": {"name": "small", "provider": "openai"},
    }
    for name in ("completions", "chat", "embeddings")
]
SSE = {"Content-Type": "text/event-stream"}
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
TOOL_CALL = {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}}
MESSAGE_EVENTS = (
    'event: content_block_delta\ndata: {"type": "content_block_delta", "delta": {"text": "Hello!"}}\n\n'
    'event: message_stop\ndata: {"type": "message_stop"}\n\n'
)


def documented_gateway() -> ScriptedGateway:
    return ScriptedGateway(_respond)


def _respond(handler: Handler, request: Request) -> None:
    path = request.path.split("?")[0]
    if request.method == "GET":
        handler.respond(*_read(path))
    elif path == "/endpoints/completions/invocations":
        prompt = request.json()["prompt"]
        choices = [{"index": 0, "text": f"{prompt} ...", "finish_reason": "stop"}]
        handler.respond(200, {"id": "r-1", "model": "small", "choices": choices, "usage": USAGE})
    elif path in ("/endpoints/chat/invocations", "/v1/chat/completions"):
        _chat(handler, request.json())
    elif path == "/endpoints/embeddings/invocations":
        inputs = request.json()["input"]
        data = [{"index": at, "embedding": [float(len(text)), 0.5, 0.25]} for at, text in enumerate(inputs)]
        handler.respond(200, {"model": "small", "data": data, "usage": USAGE})
    elif path == "/gateway/openai/v1/responses":
        output = [{"type": "message", "content": [{"type": "output_text", "text": "Hello!"}]}]
        handler.respond(200, {"id": "r-1", "output": output})
    elif path == "/gateway/anthropic/v1/messages":
        handler.respond(200, MESSAGE_EVENTS, SSE)
    else:
        handler.respond(404, NOT_FOUND)


def _read(path: str) -> tuple[int, object]:
    name = path.removeprefix("/api/2.0/endpoints/")
    if path == "/health":
        return 200, {"status": "OK"}
    if path == "/v1/models":
        return 200, {"object": "list", "data": [{"id": "small", "object": "model"}]}
    if path.startswith("/api/2.0/endpoints/") and not name:
        return 200, {"endpoints": ROUTES}
    for route in ROUTES:
        if path.startswith("/api/2.0/endpoints/") and name == route["name"]:
            return 200, route
    return 404, {"detail": f"The endpoint '{name}' is not present or active on the server."}


def _chat(handler: Handler, body: dict) -> None:
    """Calls a tool if there is one, and otherwise repeats the last message, streamed or not."""
    calls = [TOOL_CALL] if "tools" in body and body["messages"][-1]["role"] != "tool" else None
    text = None if calls else f"You wrote {json.dumps(body['messages'][-1]['content'])[:40]}."
    candidates = range(body.get("n", 1))
    if body.get("stream"):
        handler.respond(200, _chat_events(candidates, text, calls), SSE)
        return
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    reason = "tool_calls" if calls else "stop"
    choices = [{"index": at, "message": message, "finish_reason": reason} for at in candidates]
    handler.respond(200, {"id": "r-1", "model": "small", "choices": choices, "usage": USAGE})


def _chat_events(candidates: range, text: Optional[str], calls: Optional[list[dict]]) -> str:
    chunks: list[object] = []
    for at in candidates:
        if calls:
            chunks += [chunk(None, at, tool_calls=[{"index": 0, **calls[0]}]), chunk(None, at, "tool_calls")]
        else:
            chunks += [chunk(text[:4], at), chunk(text[4:], at), chunk(None, at, "stop")]
    return events(*chunks, usage_chunk(3, 5), "[DONE]")
