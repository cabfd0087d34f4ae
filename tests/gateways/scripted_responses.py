"""The responses of the scripted upstream in OpenAI's JSON, whole or as chunks of a stream. Does no I/O."""

import base64
import hashlib
import itertools
import json
import re
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

Json = dict[str, Any]

TOOLS = "!tools"
SIGNED = "!signed"
CITIES = ("Paris", "Oslo")
FRAGMENT_LENGTH = 4


class Request(NamedTuple):
    """A request: its body, the text in it that is echoed, and the shape of the response."""

    body: Json
    text: str
    is_chat: bool
    wants_tools: bool = False
    is_signed: bool = False


class Candidate(NamedTuple):
    """A candidate of a response: a text or tool calls."""

    index: int
    text: str
    tool_calls: Sequence[Json] = ()


def completions_request(body: Json, is_chat: bool) -> Request:
    """Parses a request to /v1/completions."""
    prompt = body.get("prompt", "")
    return Request(body, prompt if isinstance(prompt, str) else " ".join(map(str, prompt)), is_chat)


def chat_request(body: Json) -> Request:
    """Parses a request to /v1/chat/completions. The last message of the user or a tool is echoed."""
    messages = [message for message in body.get("messages", []) if message.get("role") in ("user", "tool")]
    last = messages[-1].get("content") if messages else ""
    text = "".join(part.get("text", "") for part in last) if isinstance(last, list) else last or ""
    return Request(body, text, is_chat=True, wants_tools=TOOLS in text, is_signed=SIGNED in text)


def response(request: Request) -> Json:
    """The whole response."""
    candidates = _candidates(request)
    choice = _chat_choice if request.is_chat else _completions_choice
    return {
        **_frame(request, "chat.completion" if request.is_chat else "text_completion"),
        "choices": [choice(candidate) for candidate in candidates],
        "usage": _usage(request, candidates),
    }


def chunks(request: Request) -> Iterator[Json]:
    """The same response in chunks of about a word; the candidates are interleaved."""
    candidates = _candidates(request)
    frame = _frame(request, "chat.completion.chunk" if request.is_chat else "text_completion")
    pieces = _chat_pieces if request.is_chat else _completions_pieces
    wants_usage = (request.body.get("stream_options") or {}).get("include_usage")
    if wants_usage:
        frame["usage"] = None
    for piece in _in_turns(*map(pieces, candidates)):
        yield {**frame, "choices": [piece]}
    if wants_usage:
        yield {**frame, "choices": [], "usage": _usage(request, candidates)}


def embeddings_inputs(body: Json) -> list[str]:
    """The inputs of a request to /v1/embeddings."""
    inputs = body.get("input", [])
    return [inputs] if isinstance(inputs, str) else list(map(str, inputs))


def embeddings(inputs: list[str], body: Json) -> Json:
    """The response to a request to /v1/embeddings."""
    words = sum(len(text.split()) for text in inputs)
    encode = _base64 if body.get("encoding_format") == "base64" else list
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(embedding(text))}
            for index, text in enumerate(inputs)
        ],
        "model": body.get("model", "scripted"),
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def embedding(text: str) -> list[float]:
    """The embedding of a text: eight numbers from 0 to 1, exact in 32-bit floats, different for each text."""
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def error(message: str) -> Json:
    """An error body, also used as the error event of a stream."""
    return {"error": {"message": message, "type": "scripted"}}


def _candidates(request: Request) -> list[Candidate]:
    indices = range(request.body.get("n") or 1)
    if request.wants_tools:
        make = _signed_tool_call if request.is_signed else _tool_calls
        return [Candidate(index, "", make(request.body, index)) for index in indices]
    return [Candidate(index, f"echo: {request.text}" + (f" #{index}" if index else "")) for index in indices]


def _tool_calls(body: Json, candidate: int) -> list[Json]:
    """A call of the first tool for each city, with its first parameter."""
    tools = body.get("tools") or [{}]
    function = tools[0].get("function") or {}
    parameters = (function.get("parameters") or {}).get("properties") or ["city"]
    name = function.get("name", "tool")
    return [
        {
            "id": f"call_{candidate}_{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps({next(iter(parameters)): city}, separators=(",", ":"))},
        }
        for number, city in enumerate(CITIES)
    ]


def _signed_tool_call(body: Json, candidate: int) -> list[Json]:
    """One call without arguments and with a signature to be sent back, as from Gemini's thinking models."""
    call = _tool_calls(body, candidate)[0]
    function = {**call["function"], "arguments": ""}
    return [{**call, "function": function, "thought_signature": "c2lnbmVk"}]


def _frame(request: Request, kind: str) -> Json:
    model = request.body.get("model", "scripted")
    return {"id": "scripted", "object": kind, "created": int(time.time()), "model": model}


def _usage(request: Request, candidates: list[Candidate]) -> dict[str, int]:
    """Counts each word and each tool call as a token."""
    prompt_tokens = len(request.text.split())
    completion_tokens = sum(len(candidate.text.split()) + len(candidate.tool_calls) for candidate in candidates)
    total_tokens = prompt_tokens + completion_tokens
    return {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, "total_tokens": total_tokens}


def _chat_choice(candidate: Candidate) -> Json:
    message: Json = {"role": "assistant", "content": candidate.text}
    if candidate.tool_calls:
        message.update(content=None, tool_calls=candidate.tool_calls)
    return {"index": candidate.index, "message": message, "finish_reason": _finish_reason(candidate)}


def _completions_choice(candidate: Candidate) -> Json:
    return {"index": candidate.index, "text": candidate.text, "logprobs": None, "finish_reason": "stop"}


def _chat_pieces(candidate: Candidate) -> Iterator[Json]:
    """The role, then the content, then the finish reason."""

    def piece(delta: Json, finish_reason: Optional[str] = None) -> Json:
        return {"index": candidate.index, "delta": delta, "finish_reason": finish_reason}

    yield piece({"role": "assistant", "content": None if candidate.tool_calls else ""})
    for word in _words(candidate.text):
        yield piece({"content": word})
    fragments = [_tool_call_fragments(number, call) for number, call in enumerate(candidate.tool_calls)]
    for fragment in _in_turns(*fragments):
        yield piece({"tool_calls": [fragment]})
    yield piece({}, _finish_reason(candidate))


def _completions_pieces(candidate: Candidate) -> Iterator[Json]:
    def piece(text: str, finish_reason: Optional[str] = None) -> Json:
        return {"index": candidate.index, "text": text, "logprobs": None, "finish_reason": finish_reason}

    for word in _words(candidate.text):
        yield piece(word)
    yield piece("", "stop")


def _tool_call_fragments(number: int, call: Json) -> Iterator[Json]:
    """The first fragment has the name of the tool, the others a few characters of the arguments each."""
    arguments = call["function"]["arguments"]
    yield {"index": number, **call, "function": {**call["function"], "arguments": ""}}
    for start in range(0, len(arguments), FRAGMENT_LENGTH):
        yield {"index": number, "function": {"arguments": arguments[start : start + FRAGMENT_LENGTH]}}


def _finish_reason(candidate: Candidate) -> str:
    return "tool_calls" if candidate.tool_calls else "stop"


def _words(text: str) -> list[str]:
    """The words with the space before them, as models generate them."""
    return re.findall(r"\s*\S+|\s+", text)


def _in_turns(*rows: Iterator[Json]) -> Iterator[Json]:
    """Interleaves the rows."""
    for turn in itertools.zip_longest(*rows):
        yield from (one for one in turn if one is not None)


def _base64(embedding: list[float]) -> str:
    """The numbers as little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(embedding)}f", *embedding)).decode()
