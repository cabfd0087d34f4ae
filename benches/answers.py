"""The large answers: a long stream of a chat, and the vectors of many texts. Every run makes them anew, all alike."""

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
"""Those with text."""
FEW_EVENTS = 10_000
ROWS = 1_000
DIMENSION = 1_536
AS_BASE64 = "/base64"
"""Below this path of the server, the same vectors come as base64."""
SHORT = "/short"
"""Below this path, the stream is over after its first FEW_EVENTS."""

SEED = 1_536
LETTERS = "etaoinshrdlu"
ESCAPED = ("\n\n", ' "so"', " C:\\", "\t", '",')
FOREIGN = (" größer", " naïve", "日本", " Привет", " 🙂", " —")

Expected = dict[str, Union[int, float, str]]


class Answers(NamedTuple):
    """What the server sends, and what a peer has to make of it."""

    stream: Path
    short_stream: Path
    text: Expected
    numbers: Path
    base64: Path
    vectors: Expected


def make() -> Answers:
    """Writes the files, which the server takes them from."""
    folder = FOLDER / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    stream, short, numbers, in_base64 = (folder / name for name in ("chat", "short", "numbers", "base64"))
    words = list(_words(random.Random(SEED)))
    stream.write_bytes(_stream(words))
    short.write_bytes(_stream(words[:FEW_EVENTS]))
    rows = list(_rows(random.Random(SEED)))
    numbers.write_bytes(_vectors(f"[{','.join(f'{value:.9g}' for value in row)}]" for row in rows))
    in_base64.write_bytes(_vectors(f'"{base64.b64encode(_little_endian(row)).decode()}"' for row in rows))
    return Answers(stream, short, _expected_text(words), numbers, in_base64, _expected_vectors(rows))


def _words(source: random.Random) -> Iterator[str]:
    """Pieces of a text as models write them, most of them a short word, and some that JSON writes at more length."""
    for _ in range(EVENTS):
        kind = source.random()
        if kind < 0.04:
            yield source.choice(ESCAPED)
        elif kind < 0.1:
            yield source.choice(FOREIGN)
        else:
            yield " " + "".join(source.choices(LETTERS, k=source.randint(1, 9)))


def _stream(words: Sequence[str]) -> bytes:
    """The stream as it is on the wire: MLflow's server makes each event a chunk of a chunked body."""
    return b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in (*_events(words), b""))


def _events(words: Sequence[str]) -> Iterator[bytes]:
    """The events as MLflow 3.17.2 sends them, and at the end "[DONE]", which later ones send."""
    yield _event([_choice({"role": "assistant", "content": None})])
    for word in words:
        yield _event([_choice({"role": None, "content": word})])
    yield _event([_choice({"role": None, "content": None}, "stop")])
    yield _event([], {"prompt_tokens": 13, "completion_tokens": len(words), "total_tokens": 13 + len(words)})
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
    """Vectors of about the length 1."""
    for _ in range(ROWS):
        yield array("f", (source.gauss(0, DIMENSION**-0.5) for _ in range(DIMENSION)))


def _little_endian(row: "array[float]") -> bytes:
    row = row[:]
    if sys.byteorder == "big":
        row.byteswap()
    return row.tobytes()


def _vectors(rows: Iterator[str]) -> bytes:
    """The answer to a question for embeddings, with each vector as it is written."""
    objects = (f'{{"object":"embedding","embedding":{row},"index":{index}}}' for index, row in enumerate(rows))
    usage = f'{{"prompt_tokens":{4 * ROWS},"total_tokens":{4 * ROWS}}}'
    return f'{{"object":"list","data":[{",".join(objects)}],"model":"m","usage":{usage}}}'.encode()


def _expected_text(words: Sequence[str]) -> Expected:
    text = "".join(words).encode()
    return {
        "length": len(text), "checksum": zlib.adler32(text), "deltas": EVENTS, "finish_reason": "stop",
        "output_tokens": EVENTS,
    }  # fmt: skip


def _expected_vectors(rows: Sequence["array[float]"]) -> Expected:
    values = (value for row in rows for value in row)
    total = sum((place % 7 + 1) * value for place, value in enumerate(values))
    return {"count": ROWS, "dimension": DIMENSION, "sum": total}
