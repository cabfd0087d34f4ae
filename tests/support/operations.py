"""Performs operations of the C library through the C program tests/c/operations.c, and parses their outcomes."""

import json
import struct
from typing import NamedTuple, Optional, Union

from support.builds import SHARED, Build

OPERATIONS = (
    "call", "send", "stream", "callback", "embed", "list", "get-route", "health", "get-limits", "set-limits",
    "create-route", "delete-route", "identify", "queue-send", "queue-stream", "queue-embed",
)  # fmt: skip
"""The commands that produce an outcome."""


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
        """The parsed message, which a conversation sends back."""
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
        """The tokens of the input, of the output, and in total."""
        return self.tokens[:3]

    @property
    def elapsed_us(self) -> int:
        """The total time."""
        return self.times_us[-1]


class Embeddings(NamedTuple):
    """Embeddings, one for each input."""

    count: int
    dimension: int
    tokens: list[int]
    model: Optional[str]
    values: list[list[float]]

    @property
    def input_tokens(self) -> int:
        return self.tokens[0]


class Route(NamedTuple):
    """A route, as listed or looked up."""

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
    """An event of a stream, and the microseconds from the start of the operation to the event."""

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
    def summary(self) -> tuple[int, int, Optional[str]]:
        """The kind, the candidate, and the text."""
        return self.kind, self.candidate, self.text


class Outcome(NamedTuple):
    """The outcome of one operation.

    `cancelled_us` is the time from its cancellation to its return; -1 if it was not cancelled.
    """

    status: str
    message: str
    code: Optional[str]
    error_http_status: int
    error_attempts: int
    error_retries: list[str]
    events: list[Event]
    started_at_us: int
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
        """All fields: tests search it for secrets."""
        return f"Outcome({', '.join(f'{name}={value!r}' for name, value in zip(self._fields, self))})"

    def __repr__(self) -> str:
        """A summary for the report of a failed test."""
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
        """The candidate, the text, and the microseconds of each text event."""
        return [(event.candidate, event.text, event.us) for event in self.events if event.kind == TEXT]

    def text(self, candidate: int = 0) -> str:
        """Returns the joined deltas of one candidate."""
        return "".join(text for number, text, _ in self.deltas if number == candidate)


class Descriptors(NamedTuple):
    """The number of open descriptors before a handle was created, and after it was destroyed."""

    before: int
    after: int


def perform(
    uri: Optional[str], *commands: str, route: str = "r", build: Build = SHARED, env: Optional[dict[str, str]] = None
) -> Outcome:
    """Performs one operation. Commands are as in tests/c/operations.c; the last one is the operation."""
    (outcome,) = perform_all(uri, *commands, route=route, build=build, env=env)
    return outcome


def perform_all(
    uri: Optional[str], *commands: str, route: str = "r", build: Build = SHARED, env: Optional[dict[str, str]] = None
) -> list[Outcome]:
    """Performs the operations of these commands on one handle. `env` is added to the clean environment."""
    results = run_commands(f"route {route}", f"uri {uri or ''}", *commands, build=build, env=env)
    outcomes = [result for result in results if isinstance(result, Outcome)]
    assert len(outcomes) == sum(command.split(" ")[0] in OPERATIONS for command in commands)
    return outcomes


def run_commands(
    *commands: str, build: Build = SHARED, env: Optional[dict[str, str]] = None
) -> list[Union[Outcome, Descriptors]]:
    """Runs commands, and returns an outcome for each operation and descriptors for each closed handle."""
    done = build.run("operations.c", input="".join(f"{command}\n" for command in commands), environment=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = map(json.loads, done.stdout.split("\n")[:-1])
    return [Descriptors(*line["descriptors"]) if "descriptors" in line else to_outcome(line) for line in lines]


def shortened(value: object, length: int = 120) -> str:
    """Returns a value as shown in a report, cut to a maximum length."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def escaped(text: str) -> str:
    """Escapes a string as the value of a command."""
    for byte, name in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"), ("\0", "\\0")):
        text = text.replace(byte, name)
    return text


def float32(number: float) -> float:
    """Rounds to the nearest 32-bit float."""
    return struct.unpack("f", struct.pack("f", number))[0]


def to_event(fields: list) -> Event:
    """Returns an event that the program printed."""
    return Event(*fields[:7], fields[7:13], *fields[13:])


def to_outcome(line: dict) -> Outcome:
    """Returns an outcome that the program printed."""
    response = line.get("response")
    if response is not None:
        candidates = [Candidate(**candidate) for candidate in response["candidates"]]
        response = Response(**{**response, "candidates": candidates})
    embeddings = line.get("embeddings")
    if embeddings is not None:
        # The program prints just enough digits to distinguish 32-bit floats.
        values = [[float32(number) for number in vector] for vector in embeddings.pop("values")]
        embeddings = Embeddings(**embeddings, values=values)
    return Outcome(
        line["status"],
        line["message"],
        line["code"],
        line["error_http_status"],
        line["error_attempts"],
        line["error_retries"],
        [to_event(fields) for fields in line.get("events", [])],
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
