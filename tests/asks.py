"""Requests by the full path through the C library, and what came of them: the other side of tests/c/asks.c."""

import json
import struct
from typing import NamedTuple, Optional, Union

from builds import SHARED, Build

ASKS = (
    "call", "send", "stream", "callback", "embed", "list", "get-route", "health", "get-limits", "set-limits",
    "create-route", "delete-route", "identify",
)  # fmt: skip


class Candidate(NamedTuple):
    """One candidate of a response."""

    text: Optional[str]
    reasoning: Optional[str]
    refusal: Optional[str]
    role: Optional[str]
    finish_reason: Optional[str]
    tool_calls: list[list[Optional[str]]]
    message_json: Optional[str]

    @property
    def message(self) -> dict:
        """The message, to be sent back."""
        return json.loads(self.message_json)


class Response(NamedTuple):
    """A response; `tokens` and `times_us` are in the order of their kinds."""

    candidates: list[Candidate]
    id: Optional[str]
    model: Optional[str]
    tokens: list[int]
    http_status: int
    attempts: int
    times_us: list[int]
    retries: list[str]
    content_type: Optional[str]
    headers: list[Optional[str]]
    body: Optional[str]

    @property
    def texts(self) -> list[Optional[str]]:
        return [candidate.text for candidate in self.candidates]

    @property
    def usage(self) -> list[int]:
        """The tokens of input, output and both."""
        return self.tokens[:3]

    @property
    def elapsed_us(self) -> int:
        """The whole time."""
        return self.times_us[-1]


class Embeddings(NamedTuple):
    """Vectors, one for each input."""

    count: int
    dimension: int
    tokens: list[int]
    model: Optional[str]
    vectors: list[list[float]]

    @property
    def input_tokens(self) -> int:
        return self.tokens[0]


class Route(NamedTuple):
    """A route, as a list or a question for it tells."""

    name: Optional[str]
    type: Optional[str]
    provider: Optional[str]
    model: Optional[str]
    url: Optional[str]
    json: str


class LogLine(NamedTuple):
    """A line of the log."""

    level: int
    text: str
    is_on_calling_thread: bool


TEXT, REASONING, REFUSAL, TOOL_CALL, FINISH, USAGE, OTHER = range(1, 8)
"""The kinds of events."""


class Event(NamedTuple):
    """An event of a stream, and the microseconds that had gone by when it came."""

    kind: int
    candidate: int
    text: Optional[str]
    us: int
    tool_call: int
    tool_call_id: Optional[str]
    tool_call_name: Optional[str]
    tokens: list[int]
    raw_name: Optional[str]
    raw_data: Optional[str]

    @property
    def said(self) -> tuple[int, int, Optional[str]]:
        """What it is, of which candidate, and its text."""
        return self.kind, self.candidate, self.text


class Outcome(NamedTuple):
    """What one ask came to.

    `cancelled_us` is how long it went on after it was cancelled; -1 if it was not.
    """

    status: str
    message: str
    code: Optional[str]
    error_http_status: int
    error_attempts: int
    error_retries: list[str]
    events: list[Event]
    asked_at_us: int
    took_us: int
    cancelled_us: int
    response: Optional[Response]
    embeddings: Optional[Embeddings]
    routes: Optional[list[Route]]
    result: Optional[str]
    log: list[LogLine]
    error_body: bytes
    error_headers: list[Optional[str]]
    error_is_retryable: bool

    def __str__(self) -> str:
        """All of it: what may stand in no part of an outcome is looked for here."""
        return f"Outcome({', '.join(f'{name}={value!r}' for name, value in zip(self._fields, self))})"

    def __repr__(self) -> str:
        """What a reader of a failed test needs, in a few lines."""
        parts = [shortened(self.message, 400)] if self.message else []
        if self.error_attempts:
            parts.append(f"{self.error_attempts} attempts, retries {self.error_retries}")
        if self.response:
            parts.append(f"texts {shortened(self.response.texts)}, HTTP status {self.response.http_status}")
            parts.append(f"{self.response.attempts} attempts, retries {self.response.retries}")
        if self.deltas:
            parts.append(f"{len(self.deltas)} deltas {shortened([text for _, text, _ in self.deltas])}")
        if self.embeddings:
            parts.append(f"embeddings {self.embeddings.count} x {self.embeddings.dimension}")
        if self.routes is not None:
            parts.append(f"routes {shortened([route.name for route in self.routes])}")
        if self.result is not None:
            parts.append(f"result {shortened(self.result)}")
        if self.cancelled_us >= 0:
            parts.append(f"returned {self.cancelled_us / 1000:.1f} ms after the cancel")
        return f"<{self.status} after {self.took_us / 1000:.1f} ms: {'; '.join(parts)}>"

    @property
    def deltas(self) -> list[tuple[int, str, int]]:
        """Of the events that are texts, the candidate, the text, and the microseconds that had gone by."""
        return [(event.candidate, event.text, event.us) for event in self.events if event.kind == TEXT]

    def text(self, candidate: int = 0) -> str:
        """The deltas of one candidate, put together."""
        return "".join(text for number, text, _ in self.deltas if number == candidate)


class Descriptors(NamedTuple):
    """How many files and connections the process had open before it made a handle, and after it destroyed it."""

    before: int
    after: int


def ask(
    uri: Optional[str], *commands: str, route: str = "r", build: Build = SHARED, env: Optional[dict[str, str]] = None
) -> Outcome:
    """Asks once. Commands are as tests/c/asks.c describes them, and the last one asks."""
    (outcome,) = ask_all(uri, *commands, route=route, build=build, env=env)
    return outcome


def ask_all(
    uri: Optional[str], *commands: str, route: str = "r", build: Build = SHARED, env: Optional[dict[str, str]] = None
) -> list[Outcome]:
    """Asks on one handle as often as the commands do. `env` is what the process finds in its environment besides."""
    answers = converse(f"route {route}", f"uri {uri or ''}", *commands, build=build, env=env)
    outcomes = [answer for answer in answers if isinstance(answer, Outcome)]
    assert len(outcomes) == sum(command.split(" ")[0] in ASKS for command in commands)
    return outcomes


def converse(
    *commands: str, build: Build = SHARED, env: Optional[dict[str, str]] = None
) -> list[Union[Outcome, Descriptors]]:
    """Gives all these commands, and returns an outcome for each ask, and descriptors for each handle that is closed."""
    done = build.run("asks.c", input="".join(f"{command}\n" for command in commands), environment=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = map(json.loads, done.stdout.split("\n")[:-1])
    return [Descriptors(*line["descriptors"]) if "descriptors" in line else _outcome(line) for line in lines]


def shortened(value: object, length: int = 120) -> str:
    """A value as a message shows it."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def escaped(text: str) -> str:
    """A text as the value of a command."""
    for byte, name in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\0", "\\0")):
        text = text.replace(byte, name)
    return text


def float32(number: float) -> float:
    """The nearest number of 32 bits."""
    return struct.unpack("f", struct.pack("f", number))[0]


def _outcome(line: dict) -> Outcome:
    response = line.get("response")
    if response is not None:
        candidates = [Candidate(**candidate) for candidate in response["candidates"]]
        response = Response(**{**response, "candidates": candidates})
    embeddings = line.get("embeddings")
    if embeddings is not None:
        # As many digits as tell one number of 32 bits from the next.
        vectors = [[float32(number) for number in vector] for vector in embeddings.pop("values")]
        embeddings = Embeddings(**{**embeddings, "vectors": vectors})
    return Outcome(
        line["status"],
        line["message"],
        line["code"],
        line["error_http_status"],
        line["error_attempts"],
        line["error_retries"],
        [Event(*event[:7], event[7:13], *event[13:]) for event in line.get("events", [])],
        line["started_at_us"],
        line["took_us"],
        line["cancelled_us"],
        response,
        embeddings,
        [Route(**route) for route in line["routes"]] if "routes" in line else None,
        line.get("result"),
        [LogLine(*entry) for entry in line["log"]],
        bytes.fromhex(line.get("error_body", "")),
        line["error_headers"],
        line["error_is_retryable"],
    )
