"""Streams of server-sent events and their framing, and the expected result of each prefix of a stream."""

import json
from typing import NamedTuple

from support.scripted_gateway import CHAT_ROUTE, Handler, Script, ScriptedGateway, one_route

LINE_ENDS = ("\n", "\r", "\r\n")
FRAMINGS = ("until close", "chunked", "length")


def chunk(content: object = None, index: int = 0, finish_reason: object = None, **delta: object) -> dict:
    """Returns a chunk of a chat stream."""
    choice = {"index": index, "delta": {"content": content, **delta}, "finish_reason": finish_reason}
    return {"id": "x", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def usage_chunk(input_tokens: int, output_tokens: int) -> dict:
    """Returns the last chunk, with the usage and no choices."""
    total = input_tokens + output_tokens
    usage = {"prompt_tokens": input_tokens, "completion_tokens": output_tokens, "total_tokens": total}
    return {"id": "x", "model": "m", "choices": [], "usage": usage}


def events(*chunks: object) -> str:
    """Formats chunks as MLflow does: JSON, or a string unchanged."""
    data = (each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in chunks)
    return "".join(f"data: {each}\n\n" for each in data)


STREAM = (
    ": hello\n\n"
    + events(chunk(None, role="assistant"))
    + "retry: 5\nevent: message\n"
    + events(chunk("Hé"), chunk(" wörld"))
    + "data:{\ndata: \"choices\": [{\"delta\":\ndata:{\"content\": \" \U0001f600\\n\"}}]}\nid: 7\n\n"
    + events(chunk(""), chunk("!"), chunk(None, finish_reason="stop"), usage_chunk(3, 5))
)
TEXTS = ["Hé", " wörld", " \U0001f600\n", "!"]


class Expected(NamedTuple):
    """The expected result of a prefix of a stream."""

    texts: list[str]
    is_finished: bool
    is_done: bool


def expected(beginning: bytes) -> Expected:
    """Parses the complete events of a prefix; `[DONE]` is complete at the end of its line."""
    lines = beginning.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    texts, is_finished, is_done = [], False, lines.endswith("\n\ndata: [DONE]\n")
    for block in lines.split("\n\n")[:-1]:
        data = "\n".join(line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:"))
        if data == "[DONE]":
            is_done = True
        elif data:
            for choice in json.loads(data)["choices"]:
                if choice["delta"]["content"]:
                    texts.append(choice["delta"]["content"])
                is_finished |= choice.get("finish_reason") is not None
    return Expected(texts, is_finished, is_done)


def head(framing: str, length: int) -> bytes:
    """Returns the head of a streaming response."""
    lines = {"until close": "", "chunked": "Transfer-Encoding: chunked\r\n", "length": f"Content-Length: {length}\r\n"}
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n{lines[framing]}\r\n".encode()


def framed(body: bytes, framing: str) -> bytes:
    """Returns the body as sent on the wire, in chunks of an odd size."""
    if framing != "chunked":
        return body
    pieces = [body[at : at + 37] for at in range(0, len(body), 37)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def unframed(wire: bytes, framing: str) -> bytes:
    """Returns the part of the body in a prefix of the bytes on the wire."""
    if framing != "chunked":
        return wire
    body = b""
    while b"\r\n" in wire:
        size, wire = wire.split(b"\r\n", 1)
        body += wire[: int(size, 16)]
        wire = wire[int(size, 16) + 2 :]
    return body


def send_stream(handler: Handler, stream: str, framing: str = "chunked") -> None:
    """Responds with a complete stream."""
    body = stream.encode()
    handler.raw(head(framing, len(body)) + framed(body, framing))
    handler.close_connection = framing == "until close"


def serving(on_post: Script) -> ScriptedGateway:
    """Returns a gateway whose chat route responds by `on_post`."""
    return ScriptedGateway(one_route(on_post, CHAT_ROUTE))


def streaming(stream: str, framing: str = "chunked") -> ScriptedGateway:
    """Returns a gateway whose chat route responds with a stream."""
    return serving(lambda handler, request: send_stream(handler, stream, framing))


BEGINNING = events(chunk("some"), chunk(" words"))

DONE = events("[DONE]")


def event_of(content: str, finish_reason: str = "null", call: str = "null") -> str:
    """Returns an event whose text has this JSON spelling."""
    delta = '{"content":%s,"tool_calls":%s}' % (f'"{content}"' if content else "null", call)
    return events('{"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}' % (delta, finish_reason))
