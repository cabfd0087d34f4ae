"""Generates the large responses: a long chat stream and the embeddings of many inputs. Every run generates the same."""

import base64
import json
import random
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Union

from common import FOLDER

EVENTS = 100_000
"""Number of events with text."""
FEW_EVENTS = 10_000
ROWS = 1_000
DIMENSION = 1_536
BASE64_PREFIX = "/base64"
"""Path prefix for embeddings encoded as base64."""
SHORT_PREFIX = "/short"
"""Path prefix for the stream of FEW_EVENTS events."""

SEED = 1_536
LETTERS = "etaoinshrdlu"
ESCAPED = ("\n\n", ' "so"', " C:\\", "\t", '",')
FOREIGN = (" größer", " naïve", "日本", " Привет", " 🙂", " —")

Expected = dict[str, Union[int, float, str]]


class Responses(NamedTuple):
    """Files that the server sends, and the summaries that a peer must print."""

    stream: Path
    short_stream: Path
    stream_summary: Expected
    numbers: Path
    base64: Path
    embeddings_summary: Expected


def generate() -> Responses:
    """Writes the files that the server sends."""
    folder = FOLDER / "responses"
    folder.mkdir(parents=True, exist_ok=True)
    stream, short, numbers, in_base64 = (folder / name for name in ("chat", "short", "numbers", "base64"))
    tokens = list(_tokens(random.Random(SEED)))
    stream.write_bytes(_stream(tokens))
    short.write_bytes(_stream(tokens[:FEW_EVENTS]))
    rows = list(_rows(random.Random(SEED)))
    numbers.write_bytes(_embeddings_body(f"[{','.join(f'{value:.9g}' for value in row)}]" for row in rows))
    in_base64.write_bytes(_embeddings_body(f'"{base64.b64encode(_little_endian(row)).decode()}"' for row in rows))
    return Responses(stream, short, _stream_summary(tokens), numbers, in_base64, _embeddings_summary(rows))


def _tokens(source: random.Random) -> Iterator[str]:
    """Text as models generate it: most tokens are a short word, some need escapes in JSON or are not ASCII."""
    for _ in range(EVENTS):
        kind = source.random()
        if kind < 0.04:
            yield source.choice(ESCAPED)
        elif kind < 0.1:
            yield source.choice(FOREIGN)
        else:
            yield " " + "".join(source.choices(LETTERS, k=source.randint(1, 9)))


def _stream(tokens: Sequence[str]) -> bytes:
    """The chunked body. MLflow's server sends each event as a chunk."""
    return b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in (*_events(tokens), b""))


def _events(tokens: Sequence[str]) -> Iterator[bytes]:
    """The events as MLflow 3.17.2 sends them, and a final "[DONE]" as newer versions send it."""
    yield _event([_choice({"role": "assistant", "content": None})])
    for token in tokens:
        yield _event([_choice({"role": None, "content": token})])
    yield _event([_choice({"role": None, "content": None}, "stop")])
    yield _event([], {"prompt_tokens": 13, "completion_tokens": len(tokens), "total_tokens": 13 + len(tokens)})
    yield b"data: [DONE]\n\n"


def _choice(delta: dict[str, object], finish_reason: object = None) -> dict[str, object]:
    return {"index": 0, "finish_reason": finish_reason, "delta": {**delta, "tool_calls": None}}


def _event(choices: list[dict[str, object]], usage: object = None) -> bytes:
    frame = {
        "id": "chatcmpl-kVQ0bm4gGq1Yk8aM2cE7sXw5TtLpDzRn", "object": "chat.completion.chunk", "created": 1700000000,
        "model": "smollm2", "choices": choices, "usage": usage, "provider": "openai",
    }  # fmt: skip
    return f"data: {json.dumps(frame, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def _rows(source: random.Random) -> Iterator["array[float]"]:
    """Embeddings with a norm of about 1."""
    for _ in range(ROWS):
        yield array("f", (source.gauss(0, DIMENSION**-0.5) for _ in range(DIMENSION)))


def _little_endian(row: "array[float]") -> bytes:
    row = row[:]
    if sys.byteorder == "big":
        row.byteswap()
    return row.tobytes()


def _embeddings_body(rows: Iterator[str]) -> bytes:
    """The body of an embeddings response. Each row is an embedding written as JSON."""
    objects = (f'{{"object":"embedding","embedding":{row},"index":{index}}}' for index, row in enumerate(rows))
    usage = f'{{"prompt_tokens":{4 * ROWS},"total_tokens":{4 * ROWS}}}'
    return f'{{"object":"list","data":[{",".join(objects)}],"model":"m","usage":{usage}}}'.encode()


def _stream_summary(tokens: Sequence[str]) -> Expected:
    text = "".join(tokens).encode()
    return {
        "length": len(text), "checksum": zlib.adler32(text), "deltas": EVENTS, "finish_reason": "stop",
        "output_tokens": EVENTS,
    }  # fmt: skip


def _embeddings_summary(rows: Sequence["array[float]"]) -> Expected:
    values = (value for row in rows for value in row)
    total = sum((place % 7 + 1) * value for place, value in enumerate(values))
    return {"count": ROWS, "dimension": DIMENSION, "sum": total}
