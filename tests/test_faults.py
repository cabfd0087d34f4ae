"""The fault matrix: each fault in each operation has the right status in time, a clear message, and no leak.

The table lists the expected result of each fault for each of seven operations. Those of a queue have the same results.
tests/faults contains the faults.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional

import pytest
from faults.responses import ROUTE, TEXT, EMBEDDING, direct, path_of
from faults.heads import LONG_REQUESTS
from faults.operations import LONG_PROMPT, OPERATION_COMMANDS, PROMPT
from faults.sites import Site, sites
from support.builds import ADDRESS, EMULATED, SHARED, VALGRIND, VALGRIND_TLS, Build
from support.operations import Descriptors, Outcome, run_commands

LONG = 10_000
"""timeout_ms of operations that must not time out."""
SHORT = {"shared": 400}
"""timeout_ms of operations that must time out. Builds under a tool or an emulator are ten to fifty times slower."""
SLACK = {"shared": 50, "address": 300}
"""Milliseconds that a call may take beyond its timeout_ms."""
SLOW = 2_000
"""Both, for the other builds."""

LIMITS = ("max_response_bytes", "max_event_bytes", "max_gathered_bytes")
"""Options that are set to 1 MiB, so that endless responses soon exceed them."""
REPETITIONS = 2
PROCESSES = 6
"""Number of programs that run in parallel: most of the time they wait."""

LOST = "CONNECTION_LOST"
CUT = "STREAM_TRUNCATED"
WRONG = "BAD_RESPONSE"
NOT_HTTP = "BAD_RESPONSE: not HTTP/1.1"
TOO_LARGE = "RESPONSE_TOO_LARGE"
LONG_HEAD = "RESPONSE_TOO_LARGE: max_header_bytes"
WAITING = "TIMEOUT: while waiting for the response"
READING = "TIMEOUT: while reading the response"
STREAMING = "TIMEOUT: while waiting for the next event"


class Row(NamedTuple):
    """The expected result of a fault: "STATUS", or "STATUS: part of the message". A complete stream is OK, too."""

    fault: str
    every: str
    """For every operation without its own entry."""
    call: Optional[str] = None
    stream: Optional[str] = None
    """For both kinds of streams."""
    embed: Optional[str] = None
    list: Optional[str] = None
    raw: Optional[str] = None
    """For a raw request. OK if only the body is invalid for the other operations."""
    timeout_ms: int = 0
    """Set if it differs from the usual one."""
    settings: tuple[str, ...] = ()
    """Other options."""
    text: str = TEXT
    """The expected text of a successful operation."""

    @property
    def name(self) -> str:
        return ", ".join((self.fault, *self.settings))

    def expected(self, operation: str) -> str:
        operation = direct(operation)
        if operation == "raw":
            of_others = self.call or self.every
            return self.raw or ("OK" if of_others in (WRONG, "NO_CANDIDATES") else of_others)
        own = {"call": self.call, "send": self.call, "embed": self.embed, "list": self.list}
        return own.get(operation, self.stream) or self.every



TABLE = (
    # The connection.
    Row("connection refused, http", "CONNECT_FAILED: refused"),
    Row("connection refused, https", "CONNECT_FAILED: refused"),
    Row("connection not accepted, http", "TIMEOUT: while connecting to 127.0.0.1:"),
    Row("connection not accepted, https", "TIMEOUT: while connecting to 127.0.0.1:"),
    Row("unknown host, http", "RESOLVE_FAILED: name service"),
    Row("unknown host, https", "RESOLVE_FAILED: name service"),
    Row("closes without reading the request", LOST),
    Row("resets without reading the request", LOST),
    Row("half-closes without reading the request", "CONNECTION_LOST: closed it before sending a response"),
    Row("stalls without reading the request", WAITING),
    Row("closes without a response", "CONNECTION_LOST: closed it before sending a response"),
    Row("resets without a response", LOST),
    Row("stalls without a response", WAITING),
    # Requests of several MB, except for the list.
    Row("responds without reading the request body", "TIMEOUT: while sending the request", list="OK"),
    Row("rejects without reading the request body", "HTTP_ERROR: too much"),
    Row("resets while reading the request body", LOST),
    # A connection that was idle before. The list and a raw request need no discovery, and so use a new one.
    Row("closes a reused connection without a response", "OK"),
    Row("resets a reused connection without a response", "OK"),
    Row("closes a reused connection long after the request", LOST, list="OK", raw="OK"),
    Row("closes a reused connection in the head", LOST, list="OK", raw="OK"),
    # The head.
    Row("garbage before the status line", NOT_HTTP),
    Row("empty lines before the status line", "OK"),
    Row("SSH banner", NOT_HTTP),
    Row("HTTP/2 SETTINGS frame", NOT_HTTP),
    Row("HTTP/2 status line", NOT_HTTP),
    Row("TLS alert", NOT_HTTP),
    Row("status line without a status", NOT_HTTP),
    Row("status of four digits", NOT_HTTP),
    Row("status 000", "HTTP_ERROR: status 0"),
    Row("status 999", "HTTP_ERROR: status 999"),
    Row("header without a colon", NOT_HTTP),
    Row("NUL in a header", NOT_HTTP),
    Row("folded header", "OK"),
    Row("endless header line", LONG_HEAD),
    Row("endless head", LONG_HEAD),
    Row("many headers", "OK"),
    Row("too many headers", "RESPONSE_TOO_LARGE: more than 1000 header fields"),
    Row("endless interim responses", LONG_HEAD),
    Row("stalls after an interim response", READING),
    Row("interim responses before the final one", "OK"),
    Row("101 Switching Protocols", READING),
    Row("head byte by byte", "OK"),
    Row("head byte by byte, too slow", READING),
    Row("closes in the head", "CONNECTION_LOST: in the middle of the response head"),
    Row("resets in the head", LOST),
    Row("stalls in the head", READING),
    # Framing and transfer of the body. A stream is complete at its end event, in any framing.
    Row("closes in the body", LOST, stream=CUT),
    Row("resets in the body", LOST, stream=CUT),
    Row("stalls in the body", READING, stream=STREAMING),
    Row("half-closes in the body", LOST, stream=CUT),
    Row("Content-Length too long, closes", LOST, stream="OK"),
    Row("Content-Length too long, stalls", READING, stream="OK"),
    Row("Content-Length too short", WRONG, stream=CUT),
    Row("Content-Length 0", WRONG, stream=CUT),
    Row("Content-Length not a number", NOT_HTTP),
    Row("Content-Length negative", NOT_HTTP),
    Row("Content-Length beyond 64 bits", NOT_HTTP),
    Row("two Content-Lengths", NOT_HTTP),
    Row("Content-Length of a petabyte", "RESPONSE_TOO_LARGE: max_response_bytes", stream=STREAMING),
    Row("bytes after the Content-Length", "OK"),
    Row("body byte by byte", "OK"),
    Row("body byte by byte, too slow", READING, stream=STREAMING),
    Row("resets after the body", LOST, stream="OK"),
    Row("endless body", "RESPONSE_TOO_LARGE: max_response_bytes", stream="RESPONSE_TOO_LARGE: max_event_bytes"),
    Row("chunks byte by byte", "OK"),
    Row("chunk without a size", NOT_HTTP),
    Row("chunk with a negative size", NOT_HTTP),
    Row("chunk size beyond 64 bits", NOT_HTTP),
    Row("chunk size of 8 EiB", LOST, stream=CUT),
    Row("chunk longer than its size", NOT_HTTP),
    Row("chunk shorter than its size", LOST, stream=CUT),
    Row("chunk without a line end", NOT_HTTP, stream="OK"),
    Row("endless chunk extension", NOT_HTTP),
    Row("closes between chunks", LOST, stream=CUT),
    Row("resets between chunks", LOST, stream=CUT),
    Row("stalls between chunks", READING, stream=STREAMING),
    Row("no last chunk", LOST, stream="OK"),
    Row("last chunk without its blank line", LOST, stream="OK"),
    Row("endless trailers", NOT_HTTP, stream="OK"),
    Row("chunks and a Content-Length", "OK"),
    Row("Transfer-Encoding gzip", NOT_HTTP),
    # Contents of the response.
    Row("empty body", WRONG, stream=CUT),
    Row("half of the body", WRONG, stream=CUT),
    Row("HTML page", "BAD_RESPONSE: HTML page", list="BAD_RESPONSE: not a list of routes", raw="OK"),
    Row("HTML page with the right Content-Type", "BAD_RESPONSE: HTML page", stream=CUT, list="BAD_RESPONSE: not a list of routes", raw="OK"),
    Row("valid body as text/html", "OK", stream=WRONG),
    Row("valid body without Content-Type", "OK"),
    Row("valid body as application/json", "OK"),
    Row("valid body as text/plain", "OK"),
    Row("valid body as text/event-stream", "OK"),
    Row("JSON instead of a stream", "OK"),
    Row("unrequested gzip", "BAD_RESPONSE: encoded (gzip)"),
    Row("gzip error response", "SERVER_ERROR: status 502"),
    Row("Content-Encoding none", "OK"),
    Row("empty Content-Encoding", "OK"),
    Row("Content-Encoding utf-8", "OK"),
    Row("gzip without Content-Encoding", WRONG, stream=CUT),
    Row("byte order mark before the body", WRONG, stream="OK"),
    Row("body in UTF-16", WRONG, stream=CUT),
    Row("body of NUL bytes", WRONG, stream=CUT),
    Row("text after the body", WRONG, stream="OK"),
    Row("deeply nested JSON", WRONG),
    Row("deeply nested JSON in a field", WRONG),
    Row("JSON that is not UTF-8", WRONG),
    Row("JSON with a lone surrogate", "OK", stream=CUT, embed=WRONG, list=WRONG, text="\ufffd"),
    Row("character after the JSON", "BAD_RESPONSE: not JSON", list=WRONG, raw="OK"),
    Row("duplicate fields", "OK"),
    Row("JSON null", WRONG),
    Row("JSON number", WRONG),
    # A server without routes may omit the list.
    Row("empty JSON object", WRONG, stream=CUT, list="OK"),
    Row("no candidates", "NO_CANDIDATES", stream=CUT, embed=WRONG, list="OK"),
    Row("error object", "SERVER_ERROR: out of order", stream="STREAM_ERROR: out of order", list=WRONG, raw="OK"),
    Row("rate limit error object", "RATE_LIMITED: out of order", list=WRONG, raw="OK"),
    Row("response with an error object", "SERVER_ERROR: out of order", stream="STREAM_ERROR: out of order", list="OK", raw="OK"),
    Row("response with an empty error object", "OK"),
    Row("status 204", WRONG),
    Row("status 304", "HTTP_ERROR: status 304"),
    Row("status 302", "HTTP_ERROR: http://127.0.0.1:1/login"),
    Row("status 401", "UNAUTHORIZED: who are you?"),
    Row("status 404 with an HTML page", "NOT_FOUND: Sign in"),
    Row("status 429", "RATE_LIMITED: status 429"),
    Row("status 500 with an HTML page", "SERVER_ERROR: Sign in"),
    Row("status 502 with a body that is not UTF-8", "SERVER_ERROR: status 502"),
    Row("status 503 with Retry-After 30", "SERVER_ERROR: status 503"),
    Row("status 503 and closes in the body", "SERVER_ERROR: status 503"),
    Row("status 503 and resets in the body", "SERVER_ERROR: status 503"),
    # The library waits for the body of the error response.
    Row("status 503 and stalls in the body", "SERVER_ERROR: status 503", timeout_ms=500),
    Row("status 422 with an endless body", "BAD_REQUEST: status 422"),
    # Events. They are an invalid response for all operations except streams.
    Row("closes before the first event", WRONG, stream=CUT),
    Row("stalls before the first event", READING, stream=STREAMING),
    Row("closes between events", WRONG, stream=CUT),
    Row("resets between events", LOST, stream=CUT),
    Row("stalls between events", READING, stream=STREAMING),
    Row("closes in an event", WRONG, stream=CUT),
    Row("closes after the finish reason", WRONG, stream="OK"),
    Row("resets after the finish reason", LOST, stream=CUT),
    Row("stalls after [DONE]", READING, stream="OK"),
    Row("endless comments", READING, stream=STREAMING),
    Row("endless empty events", READING, stream=STREAMING),
    Row("flood of comments", TOO_LARGE, stream=STREAMING),
    Row("endless event line", TOO_LARGE, stream="RESPONSE_TOO_LARGE: max_event_bytes"),
    Row("endless event", TOO_LARGE, stream="RESPONSE_TOO_LARGE: max_event_bytes"),
    Row("endless text events", TOO_LARGE, stream="RESPONSE_TOO_LARGE: max_gathered_bytes"),
    Row("error object in an event", WRONG, stream="STREAM_ERROR: out of order"),
    Row("error field", WRONG, stream="STREAM_ERROR: out of order"),
    Row("error field without a blank line", READING, stream="STREAM_ERROR: out of order"),
    Row("event named error", WRONG, stream="STREAM_ERROR: out of order"),
    Row("event named error without data", WRONG, stream="STREAM_ERROR: no reason given"),
    Row("event with a status code", WRONG, stream="STREAM_ERROR: out of order"),
    Row("rate limit error in an event", WRONG, stream="RATE_LIMITED: Rate limit reached"),
    Row("guardrail error in an event", WRONG, stream="GUARDRAIL_BLOCKED: Guardrail x blocked"),
    Row("empty error object in an event", WRONG, stream="OK"),
    Row("error object in an incomplete event", WRONG, stream="STREAM_ERROR: out of order"),
    Row("empty finish reasons", WRONG, stream=CUT),
    Row("[DONE] without a blank line", READING, stream="OK"),
    Row("lone surrogate in an event", WRONG, stream="OK", text="Bonjo\ufffd"),
    Row("surrogate pair split over two events", WRONG, stream="OK", text="\U0001f600"),
    Row("message instead of a delta", WRONG, stream="OK"),
    Row("broken JSON in an event", WRONG),
    Row("HTML in an event", WRONG),
    Row("deeply nested JSON in an event", WRONG),
    Row("event that is not UTF-8", WRONG),
    Row("event of candidate 9999999999", WRONG),
    Row("NUL bytes in an event", WRONG),
    Row("only [DONE]", WRONG, stream="NO_CANDIDATES"),
    Row("event without candidates", WRONG, stream="NO_CANDIDATES"),
    Row("byte order mark before the events", WRONG, stream="OK"),
    Row("events with bare carriage returns", WRONG, stream="OK"),
    Row("events after [DONE]", WRONG, stream="OK"),
    # Faults of discovery: if it fails, the operation is sent anyway.
    Row("discovery: closes without reading the request", "OK"),
    Row("discovery: resets without reading the request", "OK"),
    Row("discovery: stalls without reading the request", "OK", timeout_ms=1_000),
    Row("discovery: closes without a response", "OK"),
    Row("discovery: stalls without a response", "OK", timeout_ms=1_000),
    Row("discovery: garbage before the status line", "OK"),
    Row("discovery: HTTP/2 SETTINGS frame", "OK"),
    Row("discovery: endless header line", "OK"),
    Row("discovery: endless interim responses", "OK"),
    Row("discovery: closes in the head", "OK"),
    Row("discovery: stalls in the head", "OK", timeout_ms=1_000),
    # TLS.
    Row("TLS: expired certificate", "TLS_FAILED: expired"),
    Row("TLS: certificate not yet valid", "TLS_FAILED: not valid yet"),
    Row("TLS: certificate of another host", "TLS_FAILED: not valid for name"),
    Row("TLS: unknown authority", "TLS_FAILED: UnknownIssuer"),
    Row("TLS: requires a client certificate", "TLS_FAILED"),
    Row("TLS: stalls before the handshake", "TIMEOUT: during the TLS handshake"),
    Row("TLS: stalls in the handshake", "TIMEOUT: during the TLS handshake"),
    Row("TLS: closes before the handshake", "TLS_FAILED: ended the handshake"),
    Row("TLS: closes in the handshake", "TLS_FAILED: ended the handshake"),
    Row("TLS: resets in the handshake", "TLS_FAILED: ended the handshake"),
    Row("TLS: handshake_failure alert", "TLS_FAILED: HandshakeFailure"),
    Row("TLS: garbage instead of a handshake", "TLS_FAILED"),
    Row("TLS: record too long", "TLS_FAILED"),
    Row("TLS: plain HTTP instead of a handshake", "TLS_FAILED: its port uses TLS"),
    Row("TLS: closes without close_notify", "CONNECTION_LOST: without a TLS close_notify", stream="OK"),
    Row("TLS: closes without close_notify after the body", "OK"),
    Row("TLS: closes in the body", LOST, stream=CUT),
    Row("TLS: close_notify in the body", LOST, stream=CUT),
    Row("TLS: resets in the body", LOST, stream=CUT),
    Row("TLS: stalls in the body", READING, stream=STREAMING),
    Row("TLS: corrupt record", "TLS_FAILED"),
    # Proxies: they tunnel to an https:// gateway, and forward requests to an http:// one.
    Row("proxy: connection refused, http", "PROXY_FAILED: cannot connect to it"),
    Row("proxy: connection refused, https", "PROXY_FAILED: cannot connect to it"),
    Row("proxy: connection not accepted, http", "TIMEOUT: while connecting through the proxy"),
    Row("proxy: connection not accepted, https", "TIMEOUT: while connecting through the proxy"),
    Row("proxy: unknown host", "PROXY_FAILED: cannot be resolved"),
    Row("proxy: rejects with 403, http", "FORBIDDEN"),
    Row("proxy: rejects with 403, https", "PROXY_FAILED: 403"),
    Row("proxy: rejects with 407, http", "PROXY_FAILED: 407"),
    Row("proxy: rejects with 407, https", "PROXY_FAILED: 407"),
    Row("proxy: rejects with 502, http", "SERVER_ERROR"),
    Row("proxy: rejects with 502, https", "PROXY_FAILED: 502"),
    Row("proxy: stalls, http", WAITING),
    Row("proxy: stalls, https", "TIMEOUT: while connecting through the proxy"),
    Row("proxy: closes, http", "CONNECTION_LOST: through the proxy"),
    Row("proxy: closes, https", "PROXY_FAILED"),
    Row("proxy: resets, http", "CONNECTION_LOST: through the proxy"),
    Row("proxy: resets, https", "PROXY_FAILED"),
    Row("proxy: SSH banner, http", "PROXY_FAILED: does not speak HTTP/1.1"),
    Row("proxy: SSH banner, https", "PROXY_FAILED: does not speak HTTP/1.1"),
    Row("proxy: endless head, http", LONG_HEAD),
    Row("proxy: endless head, https", "PROXY_FAILED"),
    Row("tunnel: stalls, https", "TIMEOUT: during the TLS handshake"),
    Row("tunnel: closes, https", "TLS_FAILED: ended the handshake"),
    Row("tunnel: resets, https", "TLS_FAILED: ended the handshake"),
    Row("tunnel: garbage, https", "TLS_FAILED"),
)


class Cell(NamedTuple):
    """One fault for one operation."""

    row: Row
    operation: str

    def milliseconds(self, build: Build) -> int:
        times_out = self.row.expected(self.operation).startswith("TIMEOUT")
        # Building a request of several MB takes long under a tool.
        is_short = times_out and (build is SHARED or self.row.fault not in LONG_REQUESTS)
        return self.row.timeout_ms or (SHORT.get(build.name, SLOW) if is_short else LONG)

    def commands(self, site: Site, build: Build) -> tuple[str, ...]:
        prompt = LONG_PROMPT if self.row.fault in LONG_REQUESTS else PROMPT
        options = (
            f"timeout_ms={self.milliseconds(build)}",
            f"stream_timeout_ms={self.milliseconds(build)}",
            *(f"{limit}={1 << 20}" for limit in LIMITS),
            *self.row.settings,
        )
        commands = (command.format(prompt) for command in OPERATION_COMMANDS[self.operation])
        settings = (*site.settings, *(f"handle-option {option}" for option in options))
        return (f"uri {site.uri(self.operation)}", *settings, "again", *commands, "close")


class CellResult(NamedTuple):
    """The result of a cell."""

    outcome: Outcome
    descriptors: Descriptors


Sites = dict[str, Site]


@pytest.fixture(scope="module")
def fault_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with sites(tmp_path_factory.mktemp("faults")) as found:
        yield found


@pytest.fixture(scope="module")
def results(fault_sites: Sites) -> dict[Cell, CellResult]:
    """Runs every fault for every operation."""
    return run_cells(fault_sites, [Cell(row, operation) for row in TABLE for operation in OPERATION_COMMANDS], SHARED)


def run_cells(fault_sites: Sites, cells: Sequence[Cell], build: Build) -> dict[Cell, CellResult]:
    """Runs the cells in a few processes. A cell that was late, or timed out before it met its fault, is repeated alone:
    the machine may have been busy."""

    def perform(part: Sequence[Cell]) -> dict[Cell, CellResult]:
        commands = [command for cell in part for command in cell.commands(fault_sites[cell.row.fault], build)]
        lines = run_commands(f"route {ROUTE}", *commands, build=build)
        return {cell: CellResult(*pair) for cell, *pair in zip(part, lines[::2], lines[1::2])}

    build.compile("operations.c")
    with ThreadPoolExecutor(PROCESSES) as pool:
        parts = pool.map(perform, (cells[number::PROCESSES] for number in range(PROCESSES)))
        results = {cell: one for part in parts for cell, one in part.items()}
    for _ in range(REPETITIONS):
        for cell in cells:
            if is_late(cell, results[cell], build) or is_stopped_early(cell, results[cell]):
                results.update(perform([cell]))
    return results


def is_late(cell: Cell, result: CellResult, build: Build) -> bool:
    return result.outcome.took_us > (cell.milliseconds(build) + SLACK.get(build.name, SLOW)) * 1000


def is_stopped_early(cell: Cell, result: CellResult) -> bool:
    """Returns whether the operation timed out before it met the fault."""
    status, _, phrase = cell.row.expected(cell.operation).partition(": ")
    return result.outcome.status == "TIMEOUT" and (status != "TIMEOUT" or phrase not in result.outcome.message)


def check(cell: Cell, result: CellResult, site: Site, build: Build) -> None:
    """Checks the result of one cell."""
    outcome, (row, operation) = result.outcome, cell
    status, _, phrase = row.expected(operation).partition(": ")
    context = f"{row.name}; {operation}, {build.name}: expected {row.expected(operation)}, got {outcome!r}"
    assert outcome.status.replace("STREAM_END", "OK") == status, context
    assert phrase in outcome.message, context
    assert not is_late(cell, result, build), f"{context}; late, for timeout_ms={cell.milliseconds(build)}"
    assert result.descriptors.before == result.descriptors.after, f"{context}; {result.descriptors}"
    assert site.has_occurred(operation) or site.is_discovery and operation in ("list", "raw"), (
        f"{context}; it did not meet the fault"
    )
    if status == "OK":
        check_response(operation, outcome, row.text)
    else:
        method = "GET" if operation == "list" else "POST"
        first = f"{method} {site.uri(operation)}{path_of(operation)}: "
        discovery_first = f"GET {site.uri(operation)}/api/2.0/endpoints/{ROUTE}: "
        assert outcome.message.startswith((first, discovery_first)), context
    if status == "TIMEOUT":
        assert outcome.took_us > cell.milliseconds(build) * 900, f"{context}; early, for {cell.milliseconds(build)} ms"


def check_response(operation: str, outcome: Outcome, text: str) -> None:
    """Checks that the response is the right one despite the fault."""
    if operation == "call":
        assert outcome.result == text, outcome
    elif operation == "raw":
        assert outcome.response is not None, outcome
    elif operation == "list":
        assert outcome.routes is not None, outcome
    elif direct(operation) == "embed":
        assert outcome.embeddings and outcome.embeddings.values == [EMBEDDING], outcome
    else:
        assert outcome.response and outcome.response.texts == [text], outcome


def test_table_covers_every_fault(fault_sites: Sites) -> None:
    assert {row.fault for row in TABLE} == set(fault_sites)
    assert len({row.name for row in TABLE}) == len(TABLE) >= 40


@pytest.mark.alone
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_fault_has_its_status_for_every_operation(
    row: Row, fault_sites: Sites, results: dict[Cell, CellResult]
) -> None:
    for operation in OPERATION_COMMANDS:
        cell = Cell(row, operation)
        check(cell, results[cell], fault_sites[row.fault], SHARED)


@pytest.mark.parametrize("build", [ADDRESS, VALGRIND, VALGRIND_TLS, *EMULATED], ids=lambda build: build.name)
def test_every_fault_is_memory_safe(build: Build, fault_sites: Sites) -> None:
    """Runs each fault for one operation; faults of TLS use the valgrind options for TLS."""
    operations = list(OPERATION_COMMANDS)
    cells = [Cell(row, operations[number % len(operations)]) for number, row in enumerate(TABLE)]
    if build in (VALGRIND, VALGRIND_TLS):
        cells = [cell for cell in cells if is_about_tls(fault_sites[cell.row.fault]) == (build is VALGRIND_TLS)]
    for cell, one in run_cells(fault_sites, cells, build).items():
        check(cell, one, fault_sites[cell.row.fault], build)


def is_about_tls(site: Site) -> bool:
    return site.uri("call").startswith("https:")
