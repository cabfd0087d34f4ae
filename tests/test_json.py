"""JSON by the letter: what an answer says arrives as it is, or a status says that it cannot; never a wrong text.

Python's own reader of JSON says what is right, wherever it has an opinion.
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
"""Values that are JSON, and that a reader may stumble over."""

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}
DONE = {"call": "OK", "send": "OK", "stream": "STREAM_END", "callback": "OK"}
"""The ways to ask for a text, and what each returns for a whole one."""


def chat(content: bytes, more: bytes = b"", beside: bytes = b"") -> bytes:
    """An answer; `more` goes into it, and `beside` into its candidate. An event has a delta in place of the message."""
    return b'{"choices":[{"message":{"content":%s},"finish_reason":"stop"%s}]%s}' % (content, beside, more)


def as_event(body: bytes) -> bytes:
    return b"data: " + body.replace(b'"message"', b'"delta"') + b"\n\n"


def replying(bodies: Sequence[bytes], status: int = 200) -> Script:
    """Answers the question "7" with the body of that number; as an event, if a stream is asked for."""

    def reply(handler: Handler, request: Request) -> None:
        question = request.json()
        body = bodies[int(question["messages"][0]["content"])]
        if question.get("stream") and status == 200:
            body = as_event(body)
            handler.wfile.write(head("length", len(body)) + body)
        else:
            handler.respond(status, body)

    return reply


def ask_for(
    bodies: Sequence[bytes], ways: Sequence[str] = tuple(DONE), build: Build = SHARED, status: int = 200
) -> list[dict[str, Outcome]]:
    """What each way to ask makes of each of these answers."""
    commands = ["show-body"]
    for number in range(len(bodies)):
        commands += ["again", f"prompt {number}", *(f"call {number}" if way == "call" else way for way in ways)]
    with ScriptedGateway(one_route(replying(bodies, status), CHAT_ROUTE)) as gateway:
        outcomes = iter(perform_all(gateway.url, *commands, build=build))
    return [{way: next(outcomes) for way in ways} for _ in bodies]


def text_of(way: str, outcome: Outcome) -> Optional[str]:
    """The text that came, by the same way."""
    if way == "call":
        return outcome.result
    if outcome.response is None or not outcome.response.candidates:
        return None
    (text,) = outcome.response.texts
    if way != "send":
        assert outcome.text() == (text or "")
    return text


def check_refused(way: str, outcome: Outcome, what: object) -> None:
    """It is called a bad answer, and nothing of it is given out."""
    assert outcome.status == "BAD_RESPONSE", (way, what, outcome)
    assert text_of(way, outcome) is None and outcome.deltas == [], (way, what, outcome)
    assert outcome.error_http_status == 200
    check_message(outcome)


def check_message(outcome: Outcome) -> None:
    """A message is one line for a person, however strange the answer is."""
    assert 0 < len(outcome.message) < 5000
    assert not any(unicodedata.category(letter) == "Cc" for letter in outcome.message), outcome.message


# Texts


def pythons(literal: bytes) -> Optional[str]:
    """The text that a literal stands for; `None` if it is not JSON. Half of a surrogate pair becomes U+FFFD."""
    try:
        return re.sub("[\ud800-\udfff]", "\ufffd", json.loads(literal.decode()))
    except ValueError:  # of either kind of coding
        return None


GOOD = [
    b'""', b'"x"', rb'"\"\\\/\b\f\n\r\t"', rb'"\u0000"', rb'"a\u0000b\u0000"', rb'"\u001f\u007f\u0080"',
    rb'"\u00e9\u00C9"',
    rb'"\ud83d\ude00"', rb'"a\uD83D\uDE00b"', rb'"\udbff\udfff"', rb'"\uffff\ufffe\ufffd\ufeff"', rb'"\u2028\u2029"',
    '"é\U0001f600\u2028\ufeff\uffff\U0010ffff\x7f\x80"'.encode(), rb'"\\u0041"', rb'"\u005cud800"', rb'"\u005c\u0022"',
    b'" "', b'"' + rb"\u0041" * 50_000 + b'"', b'"' + "é\U0001f600".encode() * 400_000 + b'"',
]  # fmt: skip
"""Right ones; Python agrees, which the test checks."""

LONE = [
    rb"\ud800", rb"\udc00", rb"\udbff", rb"\udfff", rb"a\ud83d", rb"\ud83db", rb"\ud83d\u0041", rb"\ud83d\n",
    rb"\ude00\ud83d",
    rb"\ud800\ud800", rb"\ud800\ud800\udc00", rb"\ud83d\\ude00", rb"\ud83d \ude00",
]  # fmt: skip
"""Halves of surrogate pairs, which no UTF-8 can hold."""

NO_UTF8 = [
    b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf0\x8f\xbf\xbf",  # over-long
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xed\xa0\xbd\xed\xb8\x80",  # surrogates, and a pair of them
    b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe", b"\xff",  # behind the last character
    b"\x80", b"\xbf", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xc3x", b"\xf0\x9f\x98x",  # cut
]  # fmt: skip

NO_STRING = [
    *(bytes([byte]) for byte in range(0x20)), rb"\x41", rb"\u12", rb"\u123g", rb"\u+123", rb"\U00000041", rb"\'",
    rb"\0", rb"\e",
    b"\\", b'"',
]  # fmt: skip


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_texts_are_what_python_reads(build: Build) -> None:
    literals = [literal for literal in GOOD if len(literal) < 1000 or build is SHARED]
    literals += [b'"' + content + b'"' for content in LONE]
    wrong = [b'"' + content + b'"' for content in (*NO_UTF8, *NO_STRING)]
    assert not any(pythons(literal) is None for literal in literals)
    assert all(pythons(literal) is None for literal in wrong)
    if build is not SHARED:
        wrong = wrong[::7]
    rows = (*literals, *wrong)
    for literal, outcomes in zip(rows, ask_for([chat(literal) for literal in rows], build=build)):
        text = pythons(literal)
        for way, outcome in outcomes.items():
            if text is None:
                check_refused(way, outcome, literal)
            else:
                assert outcome.status == DONE[way], (way, literal[:99], outcome)
                # A delta is never empty, so that an empty text is none in a stream.
                came = text_of(way, outcome)
                assert came == text or (text == "" and came is None), (way, literal[:99])


def test_parts_of_a_text_are_read_as_a_whole_one_is() -> None:
    """A list of parts, as reasoning models answer."""
    rows = [literal for literal in GOOD if len(literal) < 1000] + [b'"' + content + b'"' for content in LONE]
    bodies = [chat(b'[{"type":"text","text":%s},{"type":"x","text":[[]]}]' % literal) for literal in rows]
    for literal, outcomes in zip(rows, ask_for(bodies)):
        for way, outcome in outcomes.items():
            # Beside another part an empty text is none.
            status = "NO_TEXT" if way == "call" and not pythons(literal) else DONE[way]
            assert outcome.status == status and (text_of(way, outcome) or "") == pythons(literal), (way, literal)


def test_tools_get_their_arguments_by_the_letter() -> None:
    """Which are a text, or where a model gives JSON in its place, that as it stands."""
    good = [literal for literal in GOOD if len(literal) < 1000]
    values = [b"{}", LISTS, OBJECTS, b"1e400", MANY_DIGITS, b"-0", rb'{"a":1, "a":"\ud800","":null}', b'[ "\xc3\xa9" ]']
    good += [b'"' + content + b'"' for content in LONE]
    call = b'null,"tool_calls":[{"id":"i","function":{"name":"f","arguments":%s}}]'
    bodies = [chat(call % arguments) for arguments in (*good, *values)]
    for arguments, outcomes in zip((*good, *values), ask_for(bodies, ("send", "stream"))):
        for way, outcome in outcomes.items():
            # An empty text is no JSON, and what MLflow does not take back.
            expected = (pythons(arguments) or "{}") if arguments in good else arguments.decode()
            assert outcome.status == DONE[way], (way, arguments[:99], outcome)
            assert outcome.response.candidates[0].tool_calls == [["i", "f", expected]], (way, arguments[:99])


def test_escapes_may_be_cut_anywhere() -> None:
    """Chunks, packets and events have nothing to do with characters."""
    literal = rb'"\ud83d\ude00\u00e9' + "é\U0001f600".encode() + rb'\u0000\n"'
    whole = chat(literal, b',"usage":{"prompt_tokens":123}')

    def chunks(body: bytes, at: int) -> list[bytes]:
        pieces = [body[:at], body[at:]] if at else [bytes([byte]) for byte in body]
        return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece]

    def reply(handler: Handler, request: Request) -> None:
        question = request.json()
        body = as_event(whole) if question.get("stream") else whole
        kind = "Content-Type: text/event-stream\r\n" if question.get("stream") else ""
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{kind}Transfer-Encoding: chunked\r\n\r\n".encode())
        for chunk in chunks(body, int(question["messages"][0]["content"])):
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
            assert outcome.response.texts == [pythons(literal)] and outcome.response.usage == [123, -1, -1]


# What is around them


WITH_MORE = {
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
"""What else is in an answer, and whether it still is one."""


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is Python's own, and no JSON")


def is_json(body: bytes) -> bool:
    """Whether Python takes it for JSON; what is too deep for Python is to be read all the same."""
    try:
        json.loads(body.decode(), parse_constant=refuse)
        return True
    except ValueError:
        return False
    except RecursionError:
        return True


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_what_else_is_in_an_answer(build: Build) -> None:
    bodies = [chat(b'"text"', more) for more, _ in WITH_MORE.values()]
    for (name, (_, is_answer)), body, outcomes in zip(WITH_MORE.items(), bodies, ask_for(bodies, build=build)):
        assert is_json(body) or not is_answer, name
        for way, outcome in outcomes.items():
            if is_answer:
                assert (outcome.status, text_of(way, outcome)) == (DONE[way], "text"), (way, name, outcome)
            else:
                check_refused(way, outcome, name)


def test_what_is_around_an_answer() -> None:
    answer = chat(b'"text"')
    good = {"space": b" \t\r\n%s \t\r\n" % answer}
    bad = {
        "byte order mark": b"\xef\xbb\xbf" + answer, "two answers": answer * 2, "words behind": answer + b" x",
        "NUL behind": answer + b"\0", "NUL before": b"\0" + answer, "form feed before": b"\x0c" + answer,
        "in a list": b"[%s]" % answer,
        "no-break space": b"\xc2\xa0" + answer, "UTF-16": answer.decode().encode("utf-16"), "cut": answer[:-1],
        "empty": b"",
        "space alone": b" \n", "a text": b'"text"', "a number": b"1", "null": b"null", "true": b"true",
        "one brace too many": answer + b"}", "only braces": b"{" * DEEP, "lists": LISTS, "objects": OBJECTS,
        "a key without an end": b'{"' + b"x" * 100_000,
    }  # fmt: skip
    for name, body, outcomes in zip(
        (*good, *bad), (*good.values(), *bad.values()), ask_for((*good.values(), *bad.values()), ("call", "send"))
    ):
        for way, outcome in outcomes.items():
            if name in good:
                assert (outcome.status, text_of(way, outcome)) == ("OK", "text"), (way, name, outcome)
            else:
                check_refused(way, outcome, name)
                assert outcome.error_body == body[: 64 * 1024], (way, name)
    # Of a stream lines end an event's data, and empty data are no event at all.
    for name in ("byte order mark", "two answers", "words behind", "NUL behind", "in a list", "cut", "a text", "1"):
        (outcomes,) = ask_for([bad.get(name, b"1")], ("stream", "callback"))
        for way, outcome in outcomes.items():
            check_refused(way, outcome, name)


def test_a_byte_order_mark_before_a_stream_is_none_of_its_text() -> None:
    """So the standard of event streams has it; before the data of an event it is no JSON."""

    def reply(handler: Handler, request: Request) -> None:
        body = b"\xef\xbb\xbf" + as_event(chat(b'"text"'))
        handler.wfile.write(head("length", len(body)) + body)

    with ScriptedGateway(one_route(reply, CHAT_ROUTE)) as gateway:
        outcome = perform(gateway.url, "prompt hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_END", "text"), outcome


def test_a_stream_keeps_what_came_before_the_fault() -> None:
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


def test_what_is_known_of_an_answer_is_right_or_not_there() -> None:
    """A strange count or name is no reason to throw an answer away; and none is made up."""
    none, most = -1, 2**63 - 1
    counts = {
        b"0": 0, b"7": 7, b"%d" % most: most, b"%d" % (most + 1): none, b"18446744073709551615": none,
        b"18446744073709551616": none,
        b"1180591620717411303424": none, b"1e400": none, b"-1e400": none, MANY_DIGITS: none, b"-1": none,
        b"-9223372036854775808": none,
        b"1.0": none, b"1.5": none, b"1e2": none, b'"7"': none, b"null": none, b"true": none, b"[7]": none,
        LISTS: none, OBJECTS: none,
    }  # fmt: skip
    bodies = [chat(b'"text"', b',"usage":{"prompt_tokens":%s,"completion_tokens":3}' % count) for count in counts]
    for (count, expected), outcomes in zip(counts.items(), ask_for(bodies, ("send", "stream"))):
        for way, outcome in outcomes.items():
            assert (outcome.status, text_of(way, outcome)) == (DONE[way], "text"), (way, count[:99], outcome)
            assert outcome.response.usage == [expected, 3, -1], (way, count[:99])
    odd = (b"null", b"7", b"1e400", MANY_DIGITS, LISTS, OBJECTS)
    values = {**dict.fromkeys(odd), b'"m"': "m", rb'"\u00e9"': "é"}
    for value, expected in values.items():
        bodies = [
            chat(b'"text"', b',"model":' + value),
            chat(b'"text","role":' + value),
            chat(b'"text"', beside=b',"x":1').replace(b'"stop"', value, 1),
            chat(b'"text"', beside=b',"index":' + value),
        ]
        for place, outcomes in zip(("model", "role", "finish_reason", "index"), ask_for(bodies, ("send",))):
            outcome = outcomes["send"]
            assert (outcome.status, text_of("send", outcome)) == ("OK", "text"), (place, value[:99], outcome)
            (candidate,) = outcome.response.candidates
            known = {"model": outcome.response.model, "role": candidate.role, "finish_reason": candidate.finish_reason}
            assert place == "index" or known[place] == expected, (place, value[:99])


# Refusals


class Said(NamedTuple):
    """A body that says no, its words (if they are to be found), its code, and the status for HTTP 400."""

    body: bytes
    words: str
    code: Optional[str] = None
    status: str = "BAD_REQUEST"


REFUSALS = {
    "plain": Said(b'{"detail":"no luck"}', "no luck"),
    "twice": Said(b'{"detail":"first","detail":"last"}', ": last"),
    "an empty key": Said(b'{"":"x","detail":"no luck"}', "no luck"),
    "NUL": Said(rb'{"message":"no\u0000 luck","error_code":"A"}', "no luck", "A"),
    "lines": Said(rb'{"message":"no\r\n\tluck\u001b[31m"}', "no luck[31m"),
    "characters": Said(rb'{"message":"\u00e9\ud83d\ude00"}', "é\U0001f600"),
    "control character": Said(b'{"message":"no\x01luck"}', "noluck"),
    "no UTF-8": Said(b'{"message":"a\xffb"}', "a\ufffdb"),
    "byte order mark": Said(b'\xef\xbb\xbf{"message":"no luck"}', "no luck"),
    "behind": Said(b'{"message":"no luck"} x', "no luck"),
    "NaN": Said(b'{"message":"no luck","x":NaN}', "no luck"),
    "long": Said(b'{"message":"%s"}' % (b"x" * 3_000_000), "x" * 1000),
    "lists": Said(LISTS, "HTTP status 400"),
    "lists in it": Said(b'{"detail":%s}' % LISTS, "[[["),
    "not closed": Said(b'{"detail":' + b"[" * DEEP, "[[["),
    **{f"{name} beside": Said(b'{"x":%s,"detail":"no luck"}' % value, "no luck") for name, value in ODD.items()},
    **{
        f"{name} beside a guardrail": Said(
            b'{"x":%s,"detail":"Guardrail pii blocked: a name"}' % value, "Guardrail pii", None, "GUARDRAIL_BLOCKED"
        )
        for name, value in ODD.items()
    },
}


@pytest.mark.parametrize(
    ("way", "build"),
    [*((way, SHARED) for way in (*DONE, "embed", "list")), *(("stream", build) for build in CHECKED)],
    ids=lambda value: getattr(value, "name", value),
)
def test_refusals_are_understood_as_far_as_they_can_be(way: str, build: Build) -> None:
    refusals = {name: said for name, said in REFUSALS.items() if build is SHARED or len(said.body) < 100_000}
    bodies = [said.body for said in refusals.values()]
    left = iter(bodies)

    def reply(handler: Handler, request: Request) -> None:
        if request.path == "/api/2.0/endpoints/r":
            handler.respond(200, EMBEDDINGS_ROUTE if way == "embed" else CHAT_ROUTE)
        elif request.method == "POST" or request.path == "/api/2.0/endpoints/":
            handler.respond(400, next(left))
        else:
            handler.respond(404, NOT_FOUND)

    question = "input hi" if way == "embed" else "prompt hi"
    commands = ["show-body", question, *["call hi" if way == "call" else way] * len(bodies)]
    with ScriptedGateway(reply) as gateway:
        outcomes = perform_all(gateway.url, "handle-option dialect=deployments", *commands, build=build)
    for (name, said), outcome in zip(refusals.items(), outcomes):
        assert outcome.status == said.status and said.words in outcome.message, (name, outcome)
        assert (outcome.code, outcome.error_http_status) == (said.code, 400), (name, outcome)
        assert outcome.error_body == said.body[: 64 * 1024], (name, outcome)
        check_message(outcome)


@pytest.mark.parametrize("name", ODD)
def test_a_budget_is_a_budget_whatever_is_beside_it(name: str) -> None:
    """The difference matters: what is limited for a while is asked again."""
    refusal = b'{"x":%s,"detail":"Budget limit exceeded. Ask finance."}' % ODD[name]
    (outcomes,) = ask_for([refusal], status=429)
    for outcome in outcomes.values():
        assert (outcome.status, outcome.error_attempts) == ("BUDGET_EXCEEDED", 1), outcome


def test_codes_are_as_they_were_written() -> None:
    numbers = [b"400", b"-1", b"1.5", b"18446744073709551615"]
    bodies = [b'{"error_code":%s,"message":"m"}' % number for number in numbers]
    for number, outcomes in zip(numbers, ask_for(bodies, ("send",), status=400)):
        assert (outcomes["send"].status, outcomes["send"].code) == ("BAD_REQUEST", number.decode())


def test_errors_in_a_stream() -> None:
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
        words, code = list(rows.values())[number // 2]
        assert outcome.status == ("STREAM_ERROR" if words else "BAD_RESPONSE"), outcome
        assert words is None or (words in outcome.message and (outcome.code == code or code is None)), outcome
        check_message(outcome)


# Vectors


def python_float32(number: bytes) -> Optional[float]:
    """The nearest number of 32 bits; `None` where there is none, or where it is not JSON."""
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
NO_NUMBERS = [
    b"1e39", b"3.5e38", b"-3.5e38", b"1e400", b"-1e400", MANY_DIGITS, b"1e99999999999999999999", b"NaN", b"Infinity",
    b"-Infinity",
    b"01", b"-01", b"+1", b"1.", b".5", b"-", b"1e", b"1e+", b"0x1", b"1_0", b'"1"', b"null", b"true", b"[]", b"[1]",
    b"{}", LISTS,
    b"[" * DEEP, b"1 2", b"1,", b"1\x00", "١".encode(), b"\xff",
]  # fmt: skip


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_numbers_of_vectors_are_what_python_reads(build: Build) -> None:
    rows = [*NUMBERS, *NO_NUMBERS]

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


def test_what_else_is_in_an_answer_with_vectors() -> None:
    def answer(more: bytes = b"", beside: bytes = b"") -> bytes:
        return b'{"data":[{"embedding":[1,2]%s}]%s}' % (beside, more)

    good = [
        answer(b',"x":1,"x":2,"":3'), answer(rb',"x":"[1,2]\"[3]"'), answer(rb',"[3]":1,"\\":"[4"'),
        answer(beside=rb',"\ud800":1'),
        answer(beside=rb',"x":"\ud800"'),
        *(answer(b',"x":' + value) for value in ODD.values()),
        *(answer(beside=b',"x":' + value) for value in ODD.values()),
        *(answer(b',"usage":{"prompt_tokens":%s}' % value) for value in ODD.values() if not value.startswith(b'"')),
        *(answer(b',"model":' + value) for value in ODD.values() if not value.startswith(b'"')),
        *(answer(beside=b',"index":' + value) for value in ODD.values() if not value.startswith(b'"')),
    ]  # fmt: skip
    bad = [
        answer(b',"data":[]'), answer(beside=b',"embedding":[3,4]'), answer(b',"x":NaN'), answer() + b" [1]",
        b"\xef\xbb\xbf" + answer(),
        answer(b',"model":"\xff"'), answer(b","), answer()[:-1], b'{"data":%s}' % LISTS,
        b'{"data":' + b"[" * DEEP,
        b'{"data":[{"embedding":0}]}', b"[[1,2]]", b'{"data":[{"embedding":[]}]}',
        b'{"data":[{"embedding":"AA\\u0000="}]}',
    ]  # fmt: skip
    rows = [*good, *bad]

    def embed(handler: Handler, request: Request) -> None:
        handler.respond(200, rows[int(request.json()["input"][0])])

    commands: list[str] = []
    for number in range(len(rows)):
        commands += ["again", f"input {number}", "embed"]
    with ScriptedGateway(one_route(embed, EMBEDDINGS_ROUTE)) as gateway:
        outcomes = perform_all(gateway.url, *commands)
    for number, outcome in enumerate(outcomes):
        if number < len(good):
            assert outcome.status == "OK" and outcome.embeddings.values == [[1.0, 2.0]], (rows[number][:200], outcome)
            assert (outcome.embeddings.input_tokens, outcome.embeddings.model) == (-1, None), rows[number][:200]
        else:
            assert (outcome.status, outcome.embeddings) == ("BAD_RESPONSE", None), (rows[number][:200], outcome)
            check_message(outcome)


# Routes


def test_no_route_is_left_out_for_what_is_said_of_it() -> None:
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
            listed, looked_up, asked = perform_all(gateway.url, "list", "get-route r", "prompt hi", "send")
        assert listed.status == "OK" and [route.name for route in listed.routes] == ["a", "r"], (row[:99], listed)
        assert looked_up.status == "OK", (row[:99], looked_up)
        for route in (listed.routes[1], looked_up.routes[0]):
            assert (route.name, route.type, route.json) == ("r", "llm/v1/chat", row.decode()), row[:99]
        assert asked.status == "OK", "its type is known"


def test_a_list_that_is_not_json_is_none() -> None:
    good = b'{"endpoints":[{"name":"r","endpoint_type":"llm/v1/chat"}]%s}'
    rows = [
        b"\xef\xbb\xbf" + good % b"", good % b',"x":NaN', good % b",", good % b',"x":"\xff"', good % b"" + b"x",
        (good % b"")[:-1],
        b"[" * DEEP, LISTS, OBJECTS, b'{"endpoints":%s}' % LISTS, b'{"endpoints":[%s]}' % OBJECTS, b"null", b"",
        b'{"endpoints":1}',
        b'{"endpoints":[{"name":"\xff","endpoint_type":"llm/v1/chat"}]}', good.replace(b'"r"', b'"\x01"') % b"",
    ]  # fmt: skip
    for row in rows:
        with ScriptedGateway(lambda handler, request: handler.respond(200, row)) as gateway:
            outcome = perform(gateway.url, "handle-option dialect=deployments", "list")
        assert (outcome.status, outcome.routes) == ("BAD_RESPONSE", None), (row[:99], outcome)
        check_message(outcome)


# Questions


def test_json_of_the_caller_is_sent_as_it_is() -> None:
    """It is checked for being JSON, and not understood: what is in it is between the caller and the gateway."""
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
        said = escaped(value.decode())
        commands += [
            "again", "prompt hi", f"param x={said}", "send",
            "again", f'message-json {{"x":{said}}}', "send", "stream",
            "again", f'body {{"messages":[],"x":{said}}}', "send",
            "again", f"handle-param x={said}", "prompt hi", "send", "handle-param x=null",
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
