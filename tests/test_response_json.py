"""JSON of responses: strings, numbers and fields are read exactly, or the response is rejected; no text is ever wrong.

Python's parser is the reference.
"""

import json
import math
import re
import time
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, Optional

import pytest
from support.builds import CHECKED, SHARED, Build
from support.event_streams import framed, head
from support.operations import Outcome, escaped, float32, perform, perform_all
from support.scripted_gateway import CHAT_ROUTE, NOT_FOUND, Handler, Request, Script, ScriptedGateway, one_route

DEEP = 10_000
LISTS = b"[" * DEEP + b"]" * DEEP
OBJECTS = b'{"a":' * DEEP + b"1" + b"}" * DEEP
MANY_DIGITS = b"9" * 400
ODD = {"lists": LISTS, "objects": OBJECTS, "1e400": b"1e400", "400 digits": MANY_DIGITS, "lone": rb'"\ud800"'}
"""Valid JSON values that are hard to read."""

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
SUCCESS = {"call": "OK", "send": "OK", "stream": "STREAM_END", "callback": "OK"}
"""The operations that return text, and the status of each for a complete response."""


def chat(content: bytes, more: bytes = b"", beside: bytes = b"") -> bytes:
    """Returns a response; `more` is inserted into it, and `beside` into its candidate."""
    return b'{"choices":[{"message":{"content":%s},"finish_reason":"stop"%s}]%s}' % (content, beside, more)


def as_event(body: bytes) -> bytes:
    return b"data: " + body.replace(b'"message"', b'"delta"') + b"\n\n"


def replying(bodies: Sequence[bytes], status: int = 200) -> Script:
    """Responds to the prompt "7" with the body of that index, as an event if a stream is requested."""

    def reply(handler: Handler, request: Request) -> None:
        body_json = request.json()
        body = bodies[int(body_json["messages"][0]["content"])]
        if body_json.get("stream") and status == 200:
            body = as_event(body)
            handler.wfile.write(head("length", len(body)) + body)
        else:
            handler.respond(status, body)

    return reply


def outcomes_of(
    bodies: Sequence[bytes], operations: Sequence[str] = tuple(SUCCESS), build: Build = SHARED, status: int = 200
) -> list[dict[str, Outcome]]:
    """Returns the outcome of each operation for each of these responses."""
    commands = ["show-body"]
    for number in range(len(bodies)):
        commands += [
            "again",
            f"prompt {number}",
            *(f"call {number}" if operation == "call" else operation for operation in operations),
        ]
    with ScriptedGateway(one_route(replying(bodies, status), CHAT_ROUTE)) as gateway:
        outcomes = iter(perform_all(gateway.url, *commands, build=build))
    return [{operation: next(outcomes) for operation in operations} for _ in bodies]


def text_of(operation: str, outcome: Outcome) -> Optional[str]:
    """Returns the text of an outcome of this operation."""
    if operation == "call":
        return outcome.result
    if outcome.response is None or not outcome.response.candidates:
        return None
    (text,) = outcome.response.texts
    if operation != "send":
        assert outcome.text() == (text or "")
    return text


def check_refused(operation: str, outcome: Outcome, case: object) -> None:
    """Checks that the response is rejected, and that no part of it is returned."""
    assert outcome.status == "BAD_RESPONSE", (operation, case, outcome)
    assert text_of(operation, outcome) is None and outcome.deltas == [], (operation, case, outcome)
    assert outcome.error_http_status == 200
    check_message(outcome)


def check_message(outcome: Outcome) -> None:
    """Checks that the error message is one short line without control characters."""
    assert 0 < len(outcome.message) < 5000
    assert not any(unicodedata.category(letter) == "Cc" for letter in outcome.message), outcome.message


# Texts


def python_text(literal: bytes) -> Optional[str]:
    """Returns the value of a string literal; `None` if it is not JSON. An unpaired surrogate becomes U+FFFD."""
    try:
        return re.sub("[\ud800-\udfff]", "\ufffd", json.loads(literal.decode()))
    except ValueError:  # also UnicodeDecodeError
        return None


VALID = [
    b'""', b'"x"', rb'"\"\\\/\b\f\n\r\t"', rb'"\u0000"', rb'"a\u0000b\u0000"', rb'"\u001f\u007f\u0080"',
    rb'"\u00e9\u00C9"',
    rb'"\ud83d\ude00"', rb'"a\uD83D\uDE00b"', rb'"\udbff\udfff"', rb'"\uffff\ufffe\ufffd\ufeff"', rb'"\u2028\u2029"',
    '"é\U0001f600\u2028\ufeff\uffff\U0010ffff\x7f\x80"'.encode(), rb'"\\u0041"', rb'"\u005cud800"', rb'"\u005c\u0022"',
    b'" "', b'"' + rb"\u0041" * 50_000 + b'"', b'"' + "é\U0001f600".encode() * 400_000 + b'"',
]  # fmt: skip
"""Valid string literals; the test checks that Python agrees."""

UNPAIRED = [
    rb"\ud800", rb"\udc00", rb"\udbff", rb"\udfff", rb"a\ud83d", rb"\ud83db", rb"\ud83d\u0041", rb"\ud83d\n",
    rb"\ude00\ud83d",
    rb"\ud800\ud800", rb"\ud800\ud800\udc00", rb"\ud83d\\ude00", rb"\ud83d \ude00",
]  # fmt: skip
"""Unpaired surrogates, which UTF-8 cannot represent."""

INVALID_UTF8 = [
    b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",  # over-long
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80",  # surrogates, and a pair of surrogates
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe", b"\xff",  # beyond U+10FFFF
    b"\x80", b"\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3x", b"\xf0\x9f\x98x",  # truncated
]  # fmt: skip

INVALID_STRINGS = [
    *(bytes([byte]) for byte in range(0x20)), rb"\x41", rb"\u12", rb"\u123g", rb"\u+123", rb"\U00000041", rb"\'",
    rb"\0", rb"\e",
    b"\\", b'"',
]  # fmt: skip


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_text_equals_that_of_pythons_parser_or_is_bad_response(build: Build) -> None:
    literals = [literal for literal in VALID if len(literal) < 1000 or build is SHARED]
    literals += [b'"' + content + b'"' for content in UNPAIRED]
    invalid = [b'"' + content + b'"' for content in (*INVALID_UTF8, *INVALID_STRINGS)]
    assert not any(python_text(literal) is None for literal in literals)
    assert all(python_text(literal) is None for literal in invalid)
    if build is not SHARED:
        invalid = invalid[::7]
    rows = (*literals, *invalid)
    for literal, outcomes in zip(rows, outcomes_of([chat(literal) for literal in rows], build=build)):
        text = python_text(literal)
        for operation, outcome in outcomes.items():
            if text is None:
                check_refused(operation, outcome, literal)
            else:
                assert outcome.status == SUCCESS[operation], (operation, literal[:99], outcome)
                # A delta is never empty, so a stream has no text instead of an empty one.
                found = text_of(operation, outcome)
                assert found == text or (text == "" and found is None), (operation, literal[:99])


def test_text_in_content_parts_equals_that_of_pythons_parser() -> None:
    """Reasoning models return a list of parts."""
    rows = [literal for literal in VALID if len(literal) < 1000] + [b'"' + content + b'"' for content in UNPAIRED]
    bodies = [chat(b'[{"type":"text","text":%s},{"type":"x","text":[[]]}]' % literal) for literal in rows]
    for literal, outcomes in zip(rows, outcomes_of(bodies)):
        for operation, outcome in outcomes.items():
            # An empty text beside another part counts as no text.
            status = "NO_TEXT" if operation == "call" and not python_text(literal) else SUCCESS[operation]
            assert outcome.status == status and (text_of(operation, outcome) or "") == python_text(literal), (
                operation,
                literal,
            )


def test_arguments_of_tool_calls_are_returned_exactly() -> None:
    """Arguments are a string, or JSON in its place, which is returned as written."""
    valid = [literal for literal in VALID if len(literal) < 1000]
    values = [b"{}", LISTS, OBJECTS, b"1e400", MANY_DIGITS, b"-0", rb'{"a":1, "a":"\ud800","":null}', b'[ "\xc3\xa9" ]']
    valid += [b'"' + content + b'"' for content in UNPAIRED]
    call = b'null,"tool_calls":[{"id":"i","function":{"name":"f","arguments":%s}}]'
    bodies = [chat(call % arguments) for arguments in (*valid, *values)]
    for arguments, outcomes in zip((*valid, *values), outcomes_of(bodies, ("send", "stream"))):
        for operation, outcome in outcomes.items():
            # An empty string is not JSON, and MLflow does not accept it back.
            expected = (python_text(arguments) or "{}") if arguments in valid else arguments.decode()
            assert outcome.status == SUCCESS[operation], (operation, arguments[:99], outcome)
            assert outcome.response.candidates[0].tool_calls == [["i", "f", expected]], (operation, arguments[:99])


def test_characters_may_be_split_between_chunks_and_packets() -> None:
    """Boundaries of chunks, packets and events may be inside a character."""
    literal = rb'"\ud83d\ude00\u00e9' + "é\U0001f600".encode() + rb'\u0000\n"'
    whole = chat(literal, b',"usage":{"prompt_tokens":123}')

    def chunks(body: bytes, at: int) -> list[bytes]:
        pieces = [body[:at], body[at:]] if at else [bytes([byte]) for byte in body]
        return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece]

    def reply(handler: Handler, request: Request) -> None:
        body_json = request.json()
        body = as_event(whole) if body_json.get("stream") else whole
        kind = "Content-Type: text/event-stream\r\n" if body_json.get("stream") else ""
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n".encode())
        for chunk in chunks(body, int(body_json["messages"][0]["content"])):
            handler.wfile.write(chunk)
            handler.wfile.flush()
            time.sleep(0.0003)
        handler.wfile.write(b"0\r\n\r\n")

    commands: list[str] = []
    for at in range(len(whole)):
        commands += ["again", f"prompt {at}", "send", "stream"]
    with ScriptedGateway(one_route(reply, CHAT_ROUTE)) as gateway:
        for outcome in perform_all(gateway.url, *commands):
            assert outcome.status in ("OK", "STREAM_END"), outcome
            assert outcome.response.texts == [python_text(literal)] and outcome.response.usage == [123, -1, -1]


# Other fields, and bytes around a response


EXTRA_FIELDS = {
    "nothing": (b"", True),
    "a key twice": (b',"x":1,"x":2', True),
    "an empty key": (b',"":1,"":2', True),
    "a key with NUL": (rb',"\u0000":1', True),
    "half a character": (rb',"x":"\ud800"', True),
    "a key that is half a character": (rb',"\ud800":1', True),
    "the choices twice": (b',"choices":[]', False),
    "the choices twice, escaped": (rb',"\u0063hoices":[]', False),
    "NaN": (b',"x":NaN', False),
    "Infinity": (b',"x":Infinity', False),
    "-Infinity": (b',"x":-Infinity', False),
    "a control character": (b',"x":"\x01"', False),
    "no UTF-8": (b',"x":"\xff"', False),
    "a number in another form": (b',"x":01', False),
    "a number with a plus": (b',"x":+1', False),
    "a number without digits": (b',"x":-', False),
    "a number that ends in a dot": (b',"x":1.', False),
    "a comment": (b"/**/", False),
    "a comma too many": (b",", False),
    "no quotes": (b",x:1", False),
    "lists that are not closed": (b',"x":' + b"[" * DEEP, False),
    **{f"{name} somewhere": (b',"x":' + value, True) for name, value in ODD.items()},
    **{f"number {number}": (b',"x":' + number, True) for number in (b"-0", b"-0.0e-0", b"1E400", b"1e-9999999")},
}
"""Fields inserted into a response, and whether it is still valid."""


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def is_json(body: bytes) -> bool:
    """Returns whether Python accepts it as JSON; documents that are too deep for Python count as valid."""
    try:
        json.loads(body.decode(), parse_constant=refuse)
        return True
    except ValueError:
        return False
    except RecursionError:
        return True


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_unknown_fields_are_accepted_if_they_are_json(build: Build) -> None:
    bodies = [chat(b'"text"', more) for more, _ in EXTRA_FIELDS.values()]
    for (name, (_, is_valid)), body, outcomes in zip(EXTRA_FIELDS.items(), bodies, outcomes_of(bodies, build=build)):
        assert is_json(body) or not is_valid, name
        for operation, outcome in outcomes.items():
            if is_valid:
                assert (outcome.status, text_of(operation, outcome)) == (SUCCESS[operation], "text"), (
                    operation,
                    name,
                    outcome,
                )
            else:
                check_refused(operation, outcome, name)


def test_bytes_around_a_response_are_rejected_except_whitespace() -> None:
    response = chat(b'"text"')
    valid = {"space": b" \t\r\n%s \t\r\n" % response}
    invalid = {
        "byte order mark": b"\xef\xbb\xbf" + response, "two answers": response * 2, "words behind": response + b" x",
        "NUL behind": response + b"\0", "NUL before": b"\0" + response, "form feed before": b"\x0c" + response,
        "in a list": b"[%s]" % response,
        "no-break space": b"\xc2\xa0" + response, "UTF-16": response.decode().encode("utf-16"), "cut": response[:-1],
        "empty": b"",
        "space alone": b" \n", "a text": b'"text"', "a number": b"1", "null": b"null", "true": b"true",
        "one brace too many": response + b"}", "only braces": b"{" * DEEP, "lists": LISTS, "objects": OBJECTS,
        "a key without an end": b'{"' + b"x" * 100_000,
    }  # fmt: skip
    for name, body, outcomes in zip(
        (*valid, *invalid),
        (*valid.values(), *invalid.values()),
        outcomes_of((*valid.values(), *invalid.values()), ("call", "send")),
    ):
        for operation, outcome in outcomes.items():
            if name in valid:
                assert (outcome.status, text_of(operation, outcome)) == ("OK", "text"), (operation, name, outcome)
            else:
                check_refused(operation, outcome, name)
                assert outcome.error_body == body[: 64 * 1024], (operation, name)
    # In a stream, lines end the data of an event, and empty data are not an event.
    for name in ("byte order mark", "two answers", "words behind", "NUL behind", "in a list", "cut", "a text", "1"):
        (outcomes,) = outcomes_of([invalid.get(name, b"1")], ("stream", "callback"))
        for operation, outcome in outcomes.items():
            check_refused(operation, outcome, name)


def test_byte_order_mark_before_a_stream_is_skipped() -> None:
    """The standard of event streams requires this; before the data of an event it is not JSON."""

    def reply(handler: Handler, request: Request) -> None:
        body = b"\xef\xbb\xbf" + as_event(chat(b'"text"'))
        handler.wfile.write(head("length", len(body)) + body)

    with ScriptedGateway(one_route(reply, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, "prompt hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_END", "text"), outcome


def test_invalid_event_keeps_the_text_before_it() -> None:
    faults = [
        chat(b'"x"', b',"x":NaN'), chat(b'"\xff"'), chat(b'"x"', b',"choices":[]'),
        chat(b'"x"') + b"}", LISTS,
        b"{" * DEEP,
    ]  # fmt: skip

    def reply(handler: Handler, request: Request) -> None:
        number = int(request.json()["messages"][0]["content"])
        body = as_event(chat(b'"before"').replace(b'"stop"', b"null")) + as_event(faults[number])
        handler.wfile.write(head("chunked", 0) + framed(body, "chunked"))

    commands: list[str] = []
    for number in range(len(faults)):
        commands += ["again", f"prompt {number}", "stream", "callback"]
    with ScriptedGateway(one_route(reply, CHAT_ROUTE)) as gateway:
        for outcome in perform_all(gateway.url, *commands):
            assert outcome.status == "BAD_RESPONSE", outcome
            assert (outcome.text(), outcome.response.texts) == ("before", ["before"])
            check_message(outcome)


def test_invalid_count_or_name_is_not_reported() -> None:
    """An invalid count or name does not invalidate the response."""
    none, maximum = -1, 2**63 - 1
    counts = {
        b"0": 0, b"7": 7, b"%d" % maximum: maximum, b"%d" % (maximum + 1): none, b"18446744073709551615": none,
        b"18446744073709551616": none,
        b"1180591620717411303424": none, b"1e400": none, b"-1e400": none, MANY_DIGITS: none, b"-1": none,
        b"-9223372036854775808": none,
        b"1.0": none, b"1.5": none, b"1e2": none, b'"7"': none, b"null": none, b"true": none, b"[7]": none,
        LISTS: none, OBJECTS: none,
    }  # fmt: skip
    bodies = [chat(b'"text"', b',"usage":{"prompt_tokens":%s,"completion_tokens":3}' % count) for count in counts]
    for (count, expected), outcomes in zip(counts.items(), outcomes_of(bodies, ("send", "stream"))):
        for operation, outcome in outcomes.items():
            assert (outcome.status, text_of(operation, outcome)) == (SUCCESS[operation], "text"), (
                operation,
                count[:99],
                outcome,
            )
            assert outcome.response.usage == [expected, 3, -1], (operation, count[:99])
    odd = (b"null", b"7", b"1e400", MANY_DIGITS, LISTS, OBJECTS)
    values = {**dict.fromkeys(odd), b'"m"': "m", rb'"\u00e9"': "é"}
    for value, expected in values.items():
        bodies = [
            chat(b'"text"', b',"model":' + value),
            chat(b'"text","role":' + value),
            chat(b'"text"', beside=b',"x":1').replace(b'"stop"', value, 1),
            chat(b'"text"', beside=b',"index":' + value),
        ]
        for field, outcomes in zip(("model", "role", "finish_reason", "index"), outcomes_of(bodies, ("send",))):
            outcome = outcomes["send"]
            assert (outcome.status, text_of("send", outcome)) == ("OK", "text"), (field, value[:99], outcome)
            (candidate,) = outcome.response.candidates
            reported = {
                "model": outcome.response.model,
                "role": candidate.role,
                "finish_reason": candidate.finish_reason,
            }
            assert field == "index" or reported[field] == expected, (field, value[:99])


# Error responses


class ErrorBody(NamedTuple):
    """The body of an error response, part of the expected message, its code, and the status for HTTP 400."""

    body: bytes
    phrase: str
    code: Optional[str] = None
    status: str = "BAD_REQUEST"


ERROR_BODIES = {
    "plain": ErrorBody(b'{"detail":"no luck"}', "no luck"),
    "twice": ErrorBody(b'{"detail":"first","detail":"last"}', ": last"),
    "an empty key": ErrorBody(b'{"":"x","detail":"no luck"}', "no luck"),
    "NUL": ErrorBody(rb'{"message":"no\u0000 luck","error_code":"A"}', "no luck", "A"),
    "lines": ErrorBody(rb'{"message":"no\r\n\tluck\u001b[31m"}', "no luck[31m"),
    "characters": ErrorBody(rb'{"message":"\u00e9\ud83d\ude00"}', "é\U0001f600"),
    "control character": ErrorBody(b'{"message":"no\x01luck"}', "noluck"),
    "no UTF-8": ErrorBody(b'{"message":"a\xffb"}', "a\ufffdb"),
    "byte order mark": ErrorBody(b'\xef\xbb\xbf{"message":"no luck"}', "no luck"),
    "behind": ErrorBody(b'{"message":"no luck"} x', "no luck"),
    "NaN": ErrorBody(b'{"message":"no luck","x":NaN}', "no luck"),
    "long": ErrorBody(b'{"message":"%s"}' % (b"x" * 3_000_000), "x" * 1000),
    "lists": ErrorBody(LISTS, "HTTP status 400"),
    "lists in it": ErrorBody(b'{"detail":%s}' % LISTS, "[[["),
    "not closed": ErrorBody(b'{"detail":' + b"[" * DEEP, "[[["),
    **{f"{name} beside": ErrorBody(b'{"x":%s,"detail":"no luck"}' % value, "no luck") for name, value in ODD.items()},
    **{
        f"{name} beside a guardrail": ErrorBody(
            b'{"x":%s,"detail":"Guardrail pii blocked: a name"}' % value, "Guardrail pii", None, "GUARDRAIL_BLOCKED"
        )
        for name, value in ODD.items()
    },
}


@pytest.mark.parametrize(
    ("operation", "build"),
    [*((operation, SHARED) for operation in (*SUCCESS, "embed", "list")), *(("stream", build) for build in CHECKED)],
    ids=lambda value: getattr(value, "name", value),
)
def test_error_bodies_are_read_as_far_as_possible(operation: str, build: Build) -> None:
    error_bodies = {name: error for name, error in ERROR_BODIES.items() if build is SHARED or len(error.body) < 100_000}
    bodies = [error.body for error in error_bodies.values()]
    remaining = iter(bodies)

    def reply(handler: Handler, request: Request) -> None:
        if request.path == "/api/2.0/endpoints/r":
            handler.respond(200, EMBEDDINGS_ROUTE if operation == "embed" else CHAT_ROUTE)
        elif request.method == "POST" or request.path == "/api/2.0/endpoints/":
            handler.respond(400, next(remaining))
        else:
            handler.respond(404, NOT_FOUND)

    body_json = "input hi" if operation == "embed" else "prompt hi"
    commands = ["show-body", body_json, *["call hi" if operation == "call" else operation] * len(bodies)]
    with ScriptedGateway(reply) as gateway:
        outcomes = perform_all(gateway.url, "handle-option dialect=deployments", *commands, build=build)
    for (name, error), outcome in zip(error_bodies.items(), outcomes):
        assert outcome.status == error.status and error.phrase in outcome.message, (name, outcome)
        assert (outcome.code, outcome.error_http_status) == (error.code, 400), (name, outcome)
        assert outcome.error_body == error.body[: 64 * 1024], (name, outcome)
        check_message(outcome)


@pytest.mark.parametrize("name", ODD)
def test_budget_error_is_recognized_beside_any_field(name: str) -> None:
    """The difference matters: a rate limit is retried."""
    error_body = b'{"x":%s,"detail":"Budget limit exceeded. Ask finance."}' % ODD[name]
    (outcomes,) = outcomes_of([error_body], status=429)
    for outcome in outcomes.values():
        assert (outcome.status, outcome.error_attempts) == ("BUDGET_EXCEEDED", 1), outcome


def test_numeric_error_codes_are_returned_as_written() -> None:
    numbers = [b"400", b"-1", b"1.5", b"18446744073709551615"]
    bodies = [b'{"error_code":%s,"message":"m"}' % number for number in numbers]
    for number, outcomes in zip(numbers, outcomes_of(bodies, ("send",), status=400)):
        assert (outcomes["send"].status, outcomes["send"].code) == ("BAD_REQUEST", number.decode())


def test_error_event_has_message_and_code() -> None:
    rows = {
        b'{"error":{"message":"no luck","type":"T"}}': ("no luck", "T"),
        b'{"error":{"message":"first"},"x":%s}' % LISTS: ("first", None),
        b'{"error":"x","error":"y"}': ("y", None),
        b'{"error":%s}' % LISTS: ("[[[", None),
        b'{"error":{"message":"no luck","x":%s}}' % OBJECTS: ("no luck", None),
        rb'{"error":{"message":"no\u0000luck","x":"\ud800"}}': ("luck", None),
        b'{"error":{"message":"no luck","code":1e400}}': ("no luck", None),
    }

    def reply(handler: Handler, request: Request) -> None:
        body = as_event(list(rows)[int(request.json()["messages"][0]["content"])])
        handler.wfile.write(head("length", len(body)) + body)

    commands: list[str] = []
    for number in range(len(rows)):
        commands += ["again", f"prompt {number}", "stream", "callback"]
    with ScriptedGateway(one_route(reply, CHAT_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *commands)
    for number, outcome in enumerate(outcomes):
        phrase, code = list(rows.values())[number // 2]
        assert outcome.status == ("STREAM_ERROR" if phrase else "BAD_RESPONSE"), outcome
        assert phrase is None or (phrase in outcome.message and (outcome.code == code or code is None)), outcome
        check_message(outcome)


# Embeddings


def python_float32(number: bytes) -> Optional[float]:
    """Returns the nearest 32-bit float; `None` if it is infinite or not JSON."""
    try:
        value = json.loads(number.decode(), parse_constant=refuse)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        nearest = float32(float(value))
        return None if math.isinf(nearest) else nearest
    except (ValueError, OverflowError, RecursionError):
        return None


NUMBERS = [
    b"0", b"-0", b"-0.0", b"1", b"-1.5", b"1e5", b"1E+5", b"1e-5", b"0.1", b"3.4028234663852886e38",
    b"3.4028235677973362e38", b"1e-45",
    b"1e-400", b"0." + b"0" * 400 + b"1", b"1." + b"3" * 400, b"1" + b"0" * 38, b"16777217",
    b"0.100000001490116119384765625",
    b"123456789012345678901234567890e-25", b"0e99999999999999999999",
]  # fmt: skip
INVALID_NUMBERS = [
    b"1e39", b"3.5e38", b"-3.5e38", b"1e400", b"-1e400", MANY_DIGITS, b"1e99999999999999999999", b"NaN", b"Infinity",
    b"-Infinity",
    b"01", b"-01", b"+1", b"1.", b".5", b"-", b"1e", b"1e+", b"0x1", b"1_0", b'"1"', b"null", b"true", b"[]", b"[1]",
    b"{}", LISTS,
    b"[" * DEEP, b"1 2", b"1,", b"1\x00", "١".encode(), b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_numbers_of_embeddings_equal_those_of_pythons_parser(build: Build) -> None:
    rows = [*NUMBERS, *INVALID_NUMBERS]

    def embed(handler: Handler, request: Request) -> None:
        handler.respond(200, b'{"data":[{"embedding":[2,%s]}]}' % rows[int(request.json()["input"][0])])

    commands: list[str] = []
    for number in range(len(rows)):
        commands += ["again", f"input {number}", "embed"]
    with ScriptedGateway(one_route(embed, EMBEDDINGS_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *commands, build=build)
    for literal, outcome in zip(rows, outcomes):
        if literal in NUMBERS:
            assert outcome.status == "OK", (literal, outcome)
            assert outcome.embeddings.values == [[2.0, python_float32(literal)]], literal
        else:
            assert python_float32(literal) is None, literal
            assert (outcome.status, outcome.embeddings) == ("BAD_RESPONSE", None), (literal[:99], outcome)
            check_message(outcome)


def test_unknown_fields_of_an_embeddings_response_are_accepted_if_they_are_json() -> None:
    def response(more: bytes = b"", beside: bytes = b"") -> bytes:
        return b'{"data":[{"embedding":[1,2]%s}]%s}' % (beside, more)

    valid = [
        response(b',"x":1,"x":2,"":3'), response(rb',"x":"[1,2]\"[3]"'), response(rb',"[3]":1,"\\":"[4"'),
        response(beside=rb',"\ud800":1'),
        response(beside=rb',"x":"\ud800"'),
        *(response(b',"x":' + value) for value in ODD.values()),
        *(response(beside=b',"x":' + value) for value in ODD.values()),
        *(response(b',"usage":{"prompt_tokens":%s}' % value) for value in ODD.values() if not value.startswith(b'"')),
        *(response(b',"model":' + value) for value in ODD.values() if not value.startswith(b'"')),
        *(response(beside=b',"index":' + value) for value in ODD.values() if not value.startswith(b'"')),
    ]  # fmt: skip
    invalid = [
        response(b',"data":[]'), response(beside=b',"embedding":[3,4]'), response(b',"x":NaN'), response() + b" [1]",
        b"\xef\xbb\xbf" + response(),
        response(b',"model":"\xff"'), response(b","), response()[:-1], b'{"data":%s}' % LISTS,
        b'{"data":' + b"[" * DEEP,
        b'{"data":[{"embedding":0}]}', b"[[1,2]]", b'{"data":[{"embedding":[]}]}',
        b'{"data":[{"embedding":"AA\\u0000="}]}',
    ]  # fmt: skip
    rows = [*valid, *invalid]

    def embed(handler: Handler, request: Request) -> None:
        handler.respond(200, rows[int(request.json()["input"][0])])

    commands: list[str] = []
    for number in range(len(rows)):
        commands += ["again", f"input {number}", "embed"]
    with ScriptedGateway(one_route(embed, EMBEDDINGS_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *commands)
    for number, outcome in enumerate(outcomes):
        if number < len(valid):
            assert outcome.status == "OK" and outcome.embeddings.values == [[1.0, 2.0]], (rows[number][:200], outcome)
            assert (outcome.embeddings.input_tokens, outcome.embeddings.model) == (-1, None), rows[number][:200]
        else:
            assert (outcome.status, outcome.embeddings) == ("BAD_RESPONSE", None), (rows[number][:200], outcome)
            check_message(outcome)


# Routes


def test_route_with_unknown_fields_is_listed() -> None:
    entry = b'{"name":"r","endpoint_type":"llm/v1/chat"%s}'
    rows = [entry % b"", entry % b',"x":1,"x":2,"":3', *(entry % (b',"x":' + value) for value in ODD.values())]
    for row in rows:

        def reply(handler: Handler, request: Request) -> None:
            body = b'{"endpoints":[{"name":"a","endpoint_type":"llm/v1/chat"},%s]}' % row
            if request.method == "POST":
                handler.respond(200, chat(b'"text"'))
            else:
                handler.respond(200, body if request.path == "/api/2.0/endpoints/" else row)

        with ScriptedGateway(reply) as gateway:
            listed, found, completed = perform_all(gateway.url, "list", "get-route r", "prompt hi", "send")
        assert listed.status == "OK" and [route.name for route in listed.routes] == ["a", "r"], (row[:99], listed)
        assert found.status == "OK", (row[:99], found)
        for route in (listed.routes[1], found.routes[0]):
            assert (route.name, route.type, route.json) == ("r", "llm/v1/chat", row.decode()), row[:99]
        assert completed.status == "OK", "the type of the route is read"


def test_list_that_is_not_json_is_bad_response() -> None:
    valid = b'{"endpoints":[{"name":"r","endpoint_type":"llm/v1/chat"}]%s}'
    rows = [
        b"\xef\xbb\xbf" + valid % b"", valid % b',"x":NaN', valid % b",", valid % b',"x":"\xff"', valid % b"" + b"x",
        (valid % b"")[:-1],
        b"[" * DEEP, LISTS, OBJECTS, b'{"endpoints":%s}' % LISTS, b'{"endpoints":[%s]}' % OBJECTS, b"null", b"",
        b'{"endpoints":1}',
        b'{"endpoints":[{"name":"\xff","endpoint_type":"llm/v1/chat"}]}', valid.replace(b'"r"', b'"\x01"') % b"",
    ]  # fmt: skip
    for row in rows:
        with ScriptedGateway(lambda handler, request: handler.respond(200, row)) as gateway:
            outcome = perform(gateway.url, "handle-option dialect=deployments", "list")
        assert (outcome.status, outcome.routes) == ("BAD_RESPONSE", None), (row[:99], outcome)
        check_message(outcome)


# Requests


def test_json_of_the_caller_is_sent_unchanged() -> None:
    """It is checked for being JSON, but not interpreted."""
    values = [
        *ODD.values(), b"-0", b"1.0E+2", rb'{"a":1,"a":2,"":[],"\ud800":"\udc00"}', rb'"\u0000\/\u00e9"',
        '"é\U0001f600"'.encode(),
        b"[ 1 , 2 ]", b'"' + b"x" * 1_000_000 + b'"',
    ]  # fmt: skip
    sent: list[bytes] = []

    def reply(handler: Handler, request: Request) -> None:
        sent.append(request.body)
        handler.respond(200, chat(b'"text"'))

    commands: list[str] = []
    for value in values:
        error = escaped(value.decode())
        commands += [
            "again", "prompt hi", f"param x={error}", "send",
            "again", f'message-json {{"x":{error}}}', "send", "stream",
            "again", f'body {{"messages":[],"x":{error}}}', "send",
            "again", f"handle-param x={error}", "prompt hi", "send", "handle-param x=null",
        ]  # fmt: skip
    with ScriptedGateway(one_route(reply, CHAT_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *commands)
    assert {outcome.status for outcome in outcomes} <= {"OK", "STREAM_END"}
    hi = b'"messages":[{"role":"user","content":"hi"}]'
    for number, value in enumerate(values):
        handles = b"" if number == 0 else b',"x":null'
        bodies = [
            b"{%s,%s}" % (hi, b'"x":' + value),
            b'{"messages":[{"x":%s}]%s}' % (value, handles),
            b'{"messages":[{"x":%s}]%s,"stream":true}' % (value, handles),
            b'{"messages":[],"x":%s}' % value,
            b"{%s,%s}" % (hi, b'"x":' + value),
        ]
        assert sent[5 * number : 5 * number + 5] == bodies, value[:99]
