"""What the scripted upstream answers: OpenAI's JSON, at once or in the chunks of a stream. Nothing here does I/O."""

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


class Question(NamedTuple):
    """What is asked: the request's body, the text in it that is answered, and the shape that the answer takes."""

    body: Json
    text: str
    in_chat_shape: bool
    wants_tools: bool = False
    is_signed: bool = False


class Candidate(NamedTuple):
    """One of the answers to a question: a text, or else calls of tools."""

    index: int
    text: str
    tool_calls: Sequence[Json] = ()


def completions_question(body: Json, in_chat_shape: bool) -> Question:
    """Understands a request to /v1/completions."""
    prompt = body.get("prompt", "")
    return Question(body, prompt if isinstance(prompt, str) else " ".join(map(str, prompt)), in_chat_shape)


def chat_question(body: Json) -> Question:
    """Understands a request to /v1/chat/completions: the last words of the user, or of a tool, are answered."""
    messages = [message for message in body.get("messages", []) if message.get("role") in ("user", "tool")]
    last = messages[-1].get("content") if messages else ""
    text = "".join(part.get("text", "") for part in last) if isinstance(last, list) else last or ""
    return Question(body, text, in_chat_shape=True, wants_tools=TOOLS in text, is_signed=SIGNED in text)


def answer(question: Question) -> Json:
    """The answer at once."""
    candidates = _candidates(question)
    choice = _chat_choice if question.in_chat_shape else _completions_choice
    return {
        **_frame(question, "chat.completion" if question.in_chat_shape else "text_completion"),
        "choices": [choice(candidate) for candidate in candidates],
        "usage": _usage(question, candidates),
    }


def chunks(question: Question) -> Iterator[Json]:
    """The same answer in chunks of a word or so; the candidates take turns."""
    candidates = _candidates(question)
    frame = _frame(question, "chat.completion.chunk" if question.in_chat_shape else "text_completion")
    pieces = _chat_pieces if question.in_chat_shape else _completions_pieces
    wants_usage = (question.body.get("stream_options") or {}).get("include_usage")
    if wants_usage:
        frame["usage"] = None
    for piece in _in_turns(*map(pieces, candidates)):
        yield {**frame, "choices": [piece]}
    if wants_usage:
        yield {**frame, "choices": [], "usage": _usage(question, candidates)}


def texts_to_embed(body: Json) -> list[str]:
    """The texts of a request to /v1/embeddings."""
    texts = body.get("input", [])
    return [texts] if isinstance(texts, str) else list(map(str, texts))


def embeddings(texts: list[str], body: Json) -> Json:
    """The answer to a request to /v1/embeddings."""
    words = sum(len(text.split()) for text in texts)
    encode = _base64 if body.get("encoding_format") == "base64" else list
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(embedding(text))}
            for index, text in enumerate(texts)
        ],
        "model": body.get("model", "scripted"),
        "usage": {"prompt_tokens": words, "total_tokens": words},
    }


def embedding(text: str) -> list[float]:
    """The vector that this text gets: eight numbers from 0 to 1, exact in 32-bit floats, different for each text."""
    return [byte / 256 for byte in hashlib.sha256(text.encode()).digest()[:8]]


def error(message: str) -> Json:
    """An error body, which is also the event of an error in a stream."""
    return {"error": {"message": message, "type": "scripted"}}


def _candidates(question: Question) -> list[Candidate]:
    indices = range(question.body.get("n") or 1)
    if question.wants_tools:
        make = _signed_tool_call if question.is_signed else _tool_calls
        return [Candidate(index, "", make(question.body, index)) for index in indices]
    return [Candidate(index, f"echo: {question.text}" + (f" #{index}" if index else "")) for index in indices]


def _tool_calls(body: Json, candidate: int) -> list[Json]:
    """A call for each of the cities, of the first tool that was offered and with its first parameter."""
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
    """One call without arguments, as Gemini's thinking models make it: its signature has to be sent back."""
    call = _tool_calls(body, candidate)[0]
    function = {**call["function"], "arguments": ""}
    return [{**call, "function": function, "thought_signature": "c2lnbmVk"}]


def _frame(question: Question, kind: str) -> Json:
    model = question.body.get("model", "scripted")
    return {"id": "scripted", "object": kind, "created": int(time.time()), "model": model}


def _usage(question: Question, candidates: list[Candidate]) -> dict[str, int]:
    """Counts a word, and a call of a tool, as one token."""
    asked = len(question.text.split())
    answered = sum(len(candidate.text.split()) + len(candidate.tool_calls) for candidate in candidates)
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _chat_choice(candidate: Candidate) -> Json:
    message: Json = {"role": "assistant", "content": candidate.text}
    if candidate.tool_calls:
        message.update(content=None, tool_calls=candidate.tool_calls)
    return {"index": candidate.index, "message": message, "finish_reason": _finish_reason(candidate)}


def _completions_choice(candidate: Candidate) -> Json:
    return {"index": candidate.index, "text": candidate.text, "logprobs": None, "finish_reason": "stop"}


def _chat_pieces(candidate: Candidate) -> Iterator[Json]:
    """Who speaks, then what, then why it ended."""

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
    """The first fragment says which tool, and those after it hold a few characters of the arguments each."""
    arguments = call["function"]["arguments"]
    yield {"index": number, **call, "function": {**call["function"], "arguments": ""}}
    for start in range(0, len(arguments), FRAGMENT_LENGTH):
        yield {"index": number, "function": {"arguments": arguments[start : start + FRAGMENT_LENGTH]}}


def _finish_reason(candidate: Candidate) -> str:
    return "tool_calls" if candidate.tool_calls else "stop"


def _words(text: str) -> list[str]:
    """The words with the space before them, as models write them; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+", text)


def _in_turns(*rows: Iterator[Json]) -> Iterator[Json]:
    """One of each row, then the next of each, until all have ended."""
    for turn in itertools.zip_longest(*rows):
        yield from (one for one in turn if one is not None)


def _base64(vector: list[float]) -> str:
    """The numbers as 32-bit floats, the least significant byte first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
