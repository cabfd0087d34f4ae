"""Streams: text and status wherever the stream is cut and however it is split, errors, limits, and callbacks."""

import json
import socket
import time

import pytest
from support.builds import ALL, CHECKED, SHARED, Build
from support.event_streams import (
    FRAMINGS,
    LINE_ENDS,
    STREAM,
    TEXTS,
    chunk,
    events,
    expected,
    framed,
    head,
    send_stream,
    unframed,
    usage_chunk,
)
from support.operations import FINISH, OTHER, REASONING, REFUSAL, TEXT, TOOL_CALL, USAGE, perform, perform_all
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, one_route
from support.timing import three_attempts


def serving(on_post) -> ScriptedGateway:
    return ScriptedGateway(one_route(on_post, CHAT_ROUTE))


def streaming(stream: str, framing: str = "chunked") -> ScriptedGateway:
    return serving(lambda handler, request: send_stream(handler, stream, framing))


def instructions_of(request: Request) -> dict:
    """Returns the instructions for the server in the prompt."""
    return json.loads(request.json()["messages"][0]["content"])


def send_cut_stream(handler: Handler, request: Request) -> None:
    """Sends the part of the stream that the prompt instructs."""
    instructions = instructions_of(request)
    body = instructions["stream"].replace("\n", instructions["line_end"]).encode()
    wire = framed(body, instructions["framing"])
    handler.raw(head(instructions["framing"], len(body)) + wire[: instructions["cut"]])


# A build under valgrind is about fifty times slower, so it tests every 23rd position.
@pytest.mark.parametrize("build,step", [(SHARED, 1), *((build, 23) for build in CHECKED)], ids=lambda value: getattr(value, "name", None))
@pytest.mark.parametrize("line_end", LINE_ENDS, ids=repr)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("done", ["", "data: [DONE]\n\n"], ids=["without DONE", "DONE"])
def test_stream_cut_at_any_byte_is_truncated_with_the_text_before(
    build: Build, step: int, line_end: str, framing: str, done: str
) -> None:
    stream = STREAM + done
    wire = framed(stream.replace("\n", line_end).encode(), framing)
    cuts = list(range(0, len(wire) + 1, step))
    commands = []
    for cut in cuts:
        instructions = {"stream": stream, "line_end": line_end, "framing": framing, "cut": cut}
        escaped = json.dumps(instructions).replace("\\", "\\\\")
        commands += ["again", f"message user={escaped}", "stream"]
    with serving(send_cut_stream) as gateway:
        outcomes = perform_all(gateway.url, *commands, build=build)
    for cut, outcome in zip(cuts, outcomes):
        prefix = expected(unframed(wire[:cut], framing))
        texts = [text for _, text, _ in outcome.deltas]
        assert texts == prefix.texts, (cut, outcome)
        assert outcome.response.texts == (["".join(texts) or None] if outcome.response.candidates else []), (cut, outcome)
        is_whole = cut == len(wire) if framing != "until close" else True
        is_complete = prefix.is_done or (is_whole and prefix.is_finished)
        assert outcome.status == ("STREAM_END" if is_complete else "STREAM_TRUNCATED"), (cut, outcome)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
@pytest.mark.parametrize("line_end", LINE_ENDS, ids=repr)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_stream_split_into_single_bytes_is_read(build: Build, line_end: str, framing: str) -> None:
    def bytewise(handler: Handler, request: Request) -> None:
        body = STREAM.replace("\n", line_end).encode()
        for byte in head(framing, len(body)) + framed(body, framing):
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.0001)
        handler.close_connection = True

    with serving(bytewise) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream", build=build)
    assert (outcome.status, [text for _, text, _ in outcome.deltas]) == ("STREAM_END", TEXTS)
    response = outcome.response
    assert response.texts == ["".join(TEXTS)]
    assert (response.candidates[0].role, response.candidates[0].finish_reason) == ("assistant", "stop")
    assert (response.model, response.usage, response.http_status, response.attempts) == ("m", [3, 5, 8], 200, 1)
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert response.body is None


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_stream_next_and_callback_return_the_same_events(build: Build) -> None:
    with streaming(STREAM) as gateway:
        fetched, called = perform_all(gateway.url, "message user=hi", "stream", "callback", build=build)
        assert gateway.requests[-1].json() == {"messages": [{"role": "user", "content": "hi"}], "stream": True}
        assert gateway.connections == 1, "the connection of a complete stream is reused"
    assert (fetched.status, called.status) == ("STREAM_END", "OK")
    assert [event._replace(us=0) for event in fetched.events] == [event._replace(us=0) for event in called.events]
    assert fetched.response._replace(times_us=[]) == called.response._replace(times_us=[])


@three_attempts
def test_deltas_arrive_as_soon_as_they_are_sent() -> None:
    def slow(handler: Handler, request: Request) -> None:
        handler.raw(head("until close", 0))
        for word in ("one", " two", " three"):
            handler.wfile.write(events(chunk(word)).encode())
            handler.wfile.flush()
            time.sleep(0.3)
        handler.wfile.write(events(chunk(None, finish_reason="stop")).encode())

    with serving(slow) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_END", "one two three")
    times = [us for _, _, us in outcome.deltas]
    assert times[0] < 250_000 and 200_000 < times[1] - times[0] < 400_000, times
    assert outcome.response.elapsed_us > 850_000


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_interleaved_candidates_are_separated(build: Build) -> None:
    stream = events(
        chunk("b1", index=1, role="assistant"),
        chunk("a1", role="assistant"),
        {"choices": [chunk("b2", index=1)["choices"][0], chunk("a2")["choices"][0]]},
        chunk(None, finish_reason="stop"),
        usage_chunk(1, 2),
        chunk("b3", index=1),
        chunk(None, index=1, finish_reason="length"),
    )
    with streaming(stream) as gateway:
        outcome = perform(gateway.url, "message user=hi", "param n=2", "stream", build=build)
    assert outcome.status == "STREAM_END"
    assert [delta[:2] for delta in outcome.deltas] == [(1, "b1"), (0, "a1"), (1, "b2"), (0, "a2"), (1, "b3")]
    assert outcome.response.texts == ["a1a2", "b1b2b3"]
    assert [candidate.finish_reason for candidate in outcome.response.candidates] == ["stop", "length"]
    with streaming(stream.replace('"length"', "null")) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert outcome.status == "STREAM_TRUNCATED", "candidate 1 has no finish reason"


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_tool_call_fragments_are_joined(build: Build) -> None:
    def fragment(index: int, arguments: str, **more: object) -> dict:
        name = more.pop("name", None)
        call = {"index": index, "function": {"name": name, "arguments": arguments}, **more}
        return chunk(None, tool_calls=[call])

    stream = events(
        chunk(None, role="assistant", tool_calls=None),
        fragment(0, "", id="call_a", type="function", name="f"),
        fragment(1, '{"x', id="call_b", type="function", name="g"),
        fragment(0, '{"city": "Pa', id=None),
        fragment(1, '":1}'),
        fragment(0, 'ris \U0001f600"}'),
        chunk(None, finish_reason="tool_calls"),
    )
    with streaming(stream) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream", build=build)
    assert (outcome.status, outcome.deltas) == ("STREAM_END", [])
    (candidate,) = outcome.response.candidates
    calls = [["call_a", "f", '{"city": "Paris \U0001f600"}'], ["call_b", "g", '{"x":1}']]
    assert (candidate.text, candidate.finish_reason, candidate.tool_calls) == (None, "tool_calls", calls)
    assert candidate.message["tool_calls"] == [
        {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id, name, arguments in calls
    ]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_stream_failing_in_the_middle_keeps_its_text_and_is_not_retried(build: Build) -> None:
    beginning = events(chunk("some"), chunk(" words"))
    error = {"error": {"message": "the model\nis gone: Bearer hunter22", "type": "ClientConnectorError"}}
    rows = [
        (beginning + events(error), "STREAM_ERROR", "the model is gone: ***", "ClientConnectorError"),
        (beginning + events({"error": "plain"}), "STREAM_ERROR", "plain", None),
        (beginning + events("{'not': json}"), "BAD_RESPONSE", "not JSON", None),
        (beginning + events("[1]"), "BAD_RESPONSE", "a list, not an object", None),
        (beginning + events({"choices": [{"index": 5000, "delta": {}}]}), "BAD_RESPONSE", "more than 1024 candidates", None),
        (beginning + events(chunk(["a"])), "BAD_RESPONSE", "invalid type", None),
        (beginning + events("[DONE]"), "STREAM_END", "", None),
        (beginning + events({"type": "ping"}, "", " ", "[DONE]"), "STREAM_END", "", None),
        (beginning + events({"object": "error", "message": "m", "code": 400}), "STREAM_ERROR", "m", "400"),
        (beginning, "STREAM_TRUNCATED", "before the response was complete", None),
    ]
    for stream, status, phrase, code in rows:
        with streaming(stream) as gateway:
            outcomes = perform_all(
                gateway.url, "handle-header Authorization=Bearer hunter22", "message user=hi", "stream", "callback",
                build=build,
            )  # fmt: skip
            assert len([path for path in gateway.paths() if path.startswith("POST")]) == 2, "nothing is retried"
        assert outcomes[0].status == status, outcomes[0]
        assert outcomes[1].status == ("OK" if status == "STREAM_END" else status), outcomes[1]
        for outcome in outcomes:
            assert phrase in outcome.message and outcome.code == code, outcome
            assert (outcome.text(), outcome.response.texts) == ("some words", ["some words"])
            assert outcome.error_attempts == (0 if status == "STREAM_END" else 1)


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_stream_without_events_is_truncated(build: Build) -> None:
    for framing in FRAMINGS:
        with streaming("", framing) as gateway:
            outcome = perform(gateway.url, "message user=hi", "stream", build=build)
        assert (outcome.status, outcome.response.candidates) == ("STREAM_TRUNCATED", []), framing
        assert "ended without any output" in outcome.message and "call mlflow_gateway_send()" in outcome.message


BEGINNING = events(chunk("some"), chunk(" words"))
DONE = events("[DONE]")

ERRORS = [
    ('error: {"code":500,"message":"m"}\n\n', "STREAM_ERROR", "500", "m"),
    ('error: {"code":500,"message":"m"}\n', "STREAM_ERROR", "500", "m"),
    ('error:{"code":429,"message":"m"}\n\n', "RATE_LIMITED", "429", "m"),
    ("error: plain\n\n", "STREAM_ERROR", None, "the stream failed: plain"),
    ("error\n\n", "STREAM_ERROR", None, "no reason given"),
    ("event: error\n\n", "STREAM_ERROR", None, "no reason given"),
    ("event: error\ndata\n\n", "STREAM_ERROR", None, "no reason given"),
    ("event: error\ndata: plain\n\n", "STREAM_ERROR", None, "plain"),
    ("event: error\ndata: not\ndata: one line\n\n", "STREAM_ERROR", None, "not one line"),
    ("data: not\nevent: error\n\n", "STREAM_ERROR", None, "not"),
    ("event: error\n" + events({"message": "m", "code": 3}), "STREAM_ERROR", "3", "m"),
    ("event: error\n" + events({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}),
     "STREAM_ERROR", "overloaded_error", "m"),
    ("event: error\n" + events({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}),
     "RATE_LIMITED", "rate_limit_error", "m; call less often"),
    ("event: error\n" + events(chunk("x", finish_reason="stop")), "STREAM_ERROR", None, "choices"),
    (events({"status_code": 500, "message": "m"}), "STREAM_ERROR", None, "m"),
    (events({"code": "overloaded", "message": "m"}), "STREAM_ERROR", "overloaded", "m"),
    (events({"type": "error", "message": "m"}), "STREAM_ERROR", "error", "m"),
    (events({**chunk("x"), "error": {"message": "m"}}), "STREAM_ERROR", None, "m"),
    (events({"error": {"message": "Guardrail 'x' blocked", "type": "GuardrailViolation"}}),
     "GUARDRAIL_BLOCKED", "GuardrailViolation", "Guardrail 'x' blocked"),
    (events({"error": {"message": "429: Rate limit reached", "type": "HTTPException"}}),
     "RATE_LIMITED", "HTTPException", "429: Rate limit reached; call less often"),
    (events({"error": {"message": "429: Budget limit exceeded. Later.", "type": "HTTPException"}}),
     "BUDGET_EXCEEDED", "HTTPException", "Budget limit exceeded. Later; a retry does not help"),
    (events({"error": {"message": "400: Guardrail 'x' blocked: y", "type": "HTTPException"}}),
     "GUARDRAIL_BLOCKED", "HTTPException", "Guardrail 'x' blocked: y"),
    (events({"error": {"message": "500: m", "type": "HTTPException"}}), "STREAM_ERROR", "HTTPException", "500: m"),
    (events({"error": {"message": "m", "code": 429}}), "RATE_LIMITED", "429", "m"),
    (events({"error": {"message": "m", "code": 400}}), "STREAM_ERROR", "400", "m"),
]  # fmt: skip
"""Error events, and the expected status, code, and part of the message."""


@pytest.mark.parametrize("row", range(len(ERRORS)), ids=lambda row: ERRORS[row][0].strip()[:40])
def test_error_event_of_any_shape_ends_the_stream(row: int) -> None:
    error, status, code, phrase = ERRORS[row]
    with streaming(BEGINNING + error + DONE) as gateway:
        outcomes = perform_all(gateway.url, "message user=hi", "stream", "callback")
    for outcome in outcomes:
        assert (outcome.status, outcome.code, outcome.error_http_status) == (status, code, 200), outcome
        assert phrase in outcome.message, outcome
        assert (outcome.text(), outcome.response.texts) == ("some words", ["some words"])


@pytest.mark.parametrize("end", ["\n", ""], ids=repr)
def test_error_event_without_blank_line_at_the_end_counts(end: str) -> None:
    for error in ("event: error", 'error: {"message":"m"}', 'data: {"error":{"message":"m"}}', "event: error\ndata: m"):
        with streaming(BEGINNING + error + end) as gateway:
            outcome = perform(gateway.url, "message user=hi", "stream")
        assert outcome.status == "STREAM_ERROR", (error, outcome)
        assert (" m" in outcome.message) == ("m" in error), (error, outcome)
    for cut in ('data: {"error":{"message":"m"}', events(chunk("x", finish_reason="stop")).strip()):
        with streaming(BEGINNING + cut + end) as gateway:
            outcome = perform(gateway.url, "message user=hi", "stream")
        assert (outcome.status, outcome.text()) == ("STREAM_TRUNCATED", "some words"), (cut, outcome)


@pytest.mark.parametrize("error", ["null", "false", "0", "-0.0", '""', "[]", "[ ]", "{}", "{ }"])
def test_empty_error_field_is_not_an_error(error: str) -> None:
    """openai-python treats these values so."""
    event = '{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}],"error":' + error + "}"
    stream = events(event % ("a", "null"), event % ("b", "null"), '{"error":%s}' % error, event % ("", '"stop"'))
    with streaming(stream) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_END", "ab"), outcome


def test_empty_finish_reason_does_not_complete_the_stream() -> None:
    stream = events(*(chunk(word, finish_reason="") for word in ("some", " words")))
    with streaming(stream) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_TRUNCATED", "some words"), outcome
    assert outcome.response.candidates[0].finish_reason is None
    with streaming(stream + events(chunk("", finish_reason="stop"), chunk("", finish_reason=""))) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.response.candidates[0].finish_reason) == ("STREAM_END", "stop"), outcome


def test_text_in_a_message_instead_of_a_delta_is_read() -> None:
    def choice(**fields: object) -> dict:
        return {"choices": [{"index": 0, **fields}]}

    stream = events(
        choice(message={"role": "assistant", "content": "some"}),
        choice(message={"content": " words"}, delta=None),
        choice(delta={"content": "!"}, message={"content": "some words!"}),
        choice(message={"content": None}, finish_reason="stop"),
    )
    with streaming(stream) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, [text for _, text, _ in outcome.deltas]) == ("STREAM_END", ["some", " words", "!"])
    assert outcome.response.candidates[0].role == "assistant"


def event_of(content: str, finish_reason: str = "null", call: str = "null") -> str:
    """Returns an event whose text has this JSON spelling."""
    delta = '{"content":%s,"tool_calls":%s}' % (f'"{content}"' if content else "null", call)
    return events('{"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}' % (delta, finish_reason))


SPLIT = [
    ([r"a\ud83d", r"\ude00b"], ["a", "\U0001f600b"]),
    ([r"\ud83d", "", r"\ude00\ud83d", r"\ude01"], ["\U0001f600", "\U0001f601"]),
    ([r"a\ud83d", "b", "c"], ["a", "\ufffdb", "c"]),
    (["a", r"\ude00b"], ["a", "\ufffdb"]),
    ([r"a\ud83d"], ["a", "\ufffd"]),
    ([r"\ud83d\ud83d", r"\ude00"], ["\ufffd", "\U0001f600"]),
]
"""Texts of events, and the expected deltas."""


@pytest.mark.parametrize("end", [event_of("", '"stop"'), DONE], ids=["reason", "DONE"])
@pytest.mark.parametrize("contents,texts", SPLIT, ids=range(len(SPLIT)))
def test_character_split_between_events_is_joined(contents: list[str], texts: list[str], end: str) -> None:
    with streaming("".join(map(event_of, contents)) + end) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, [text for _, text, _ in outcome.deltas]) == ("STREAM_END", texts), outcome
    assert outcome.response.texts == ["".join(texts)]


def test_tool_call_arguments_split_in_a_character_are_joined() -> None:
    call = '[{"index":0,"id":"a","function":{"name":"f","arguments":"%s"}}]'
    stream = event_of("", call=call % r"{\"x\":\"\ud83d") + event_of("y", call=call % r"\ude00\"}")
    with streaming(stream + event_of("", '"stop"')) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_END", "y")
    assert outcome.response.candidates[0].tool_calls == [["a", "f", '{"x":"\U0001f600"}']]


@pytest.mark.parametrize("line_end", LINE_ENDS, ids=repr)
def test_done_ends_the_stream_without_its_blank_line(line_end: str) -> None:
    """A server may omit the blank line, and keep the connection open."""

    def stay_open(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0) + (BEGINNING + "data: [DONE]\n").replace("\n", line_end).encode())
        handler.stall()

    with serving(stay_open) as gateway:
        outcomes = perform_all(gateway.url, "message user=hi", "option idle_timeout_ms=2000", "stream", "callback")
    for outcome in outcomes:
        assert outcome.status in ("STREAM_END", "OK") and outcome.text() == "some words", outcome
        assert outcome.took_us < 500_000


def test_error_line_ends_the_stream_without_a_blank_line() -> None:
    def stay_open(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0) + (BEGINNING + 'error: {"message":"m"}\n').encode())
        handler.stall()

    with serving(stay_open) as gateway:
        outcome = perform(gateway.url, "message user=hi", "option idle_timeout_ms=2000", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_ERROR", "some words"), outcome
    assert outcome.took_us < 500_000


def test_reasoning_and_refusals_keep_the_stream_alive_but_are_not_text() -> None:
    """They are events, which reset idle_timeout_ms."""

    def slow(handler: Handler, request: Request) -> None:
        handler.raw(head("until close", 0))
        for delta in ({"reasoning_content": "hm"}, {"reasoning": "hm"}, {"refusal": "no"}, {"content": "x", "refusal": None}):
            handler.wfile.write(events({"choices": [{"index": 0, "delta": delta}]}).encode())
            handler.wfile.flush()
            time.sleep(0.2)
        handler.wfile.write(events(chunk(None, finish_reason="stop")).encode())

    with serving(slow) as gateway:
        outcome = perform(gateway.url, "message user=hi", "option idle_timeout_ms=500", "stream")
    assert (outcome.status, outcome.text(), outcome.response.texts) == ("STREAM_END", "x", ["x"]), outcome


# Tool calls


def tool_stream(*calls: list[dict]) -> str:
    """Returns a stream with these lists of tool calls."""
    return events(*(chunk(None, tool_calls=each) for each in calls), chunk(None, finish_reason="tool_calls"))


def gathered_calls(*calls: list[dict]) -> tuple[list[list], list[dict]]:
    """Returns the gathered tool calls of such a stream, by the functions and as JSON."""
    with streaming(tool_stream(*calls)) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert outcome.status == "STREAM_END", outcome
    (candidate,) = outcome.response.candidates
    return candidate.tool_calls, candidate.message["tool_calls"]


def test_unknown_fields_of_tool_calls_are_kept() -> None:
    """Arguments are joined; of every other field the last value that is not null counts."""
    signature = {"google": {"thought_signature": "abc", "n": 1.50}}
    calls, sent_back = gathered_calls(
        [{"index": 0, "id": "a", "type": "function", "thought_signature": "x", "function": {"name": "f", "arguments": "{"}}],
        [{"index": 0, "extra_content": signature, "thought_signature": None, "function": {"arguments": "}", "strict": True}}],
        [{"index": 0, "thought_signature": "y", "function": {"arguments": ""}}],
        [{"index": 1, "id": "b", "type": "custom", "function": {"name": "g", "arguments": "[]"}, "note": ["é"]}],
    )
    assert calls == [["a", "f", "{}"], ["b", "g", "[]"]]
    function = {"name": "f", "arguments": "{}", "strict": True}
    assert sent_back == [
        {"id": "a", "type": "function", "function": function, "thought_signature": "y", "extra_content": signature},
        {"id": "b", "type": "custom", "function": {"name": "g", "arguments": "[]"}, "note": ["é"]},
    ]


def test_tool_call_without_arguments_gets_an_empty_object() -> None:
    """MLflow does not accept an empty string back."""
    for arguments in ("", None):
        call = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
        calls, sent_back = gathered_calls([call])
        expected = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
        assert (calls, sent_back) == ([["a", "f", "{}"]], expected)
        whole = {**call, "thought_signature": "x", "z": None, "id": ""}
        choices = [{"message": {"content": None, "tool_calls": [whole]}, "finish_reason": "tool_calls"}]
        with serving(lambda handler, request: handler.respond(200, {"choices": choices})) as gateway:
            (candidate,) = perform(gateway.url, "message user=hi", "send").response.candidates
        assert candidate.tool_calls == [[None, "f", "{}"]]
        assert candidate.message["tool_calls"] == [{**whole, "function": {"name": "f", "arguments": "{}"}}]


def test_tool_calls_without_id_and_index_stay_separate() -> None:
    def call(name: str, arguments: str) -> dict:
        return {"function": {"name": name, "arguments": arguments}}

    one, two = '{"q":1}', '{"q":2}'
    expected = [[None, "f", one], [None, "f", two]]
    assert gathered_calls([call("f", one), call("f", two)])[0] == expected, "in one list"
    assert gathered_calls([call("f", one)], [call("f", two)])[0] == expected, "in several lists"
    assert gathered_calls([call("f", one), call("g", two)], [call("f", one), call("g", two)])[0] == [
        [None, "f", one], [None, "g", two], [None, "f", one], [None, "g", two],
    ]  # fmt: skip
    assert gathered_calls([call("f", '{"q"'), call("f", '{"q"')], [call("f", ":1}"), call("f", ":2}")])[0] == expected


def test_fields_of_a_tool_call_are_limited() -> None:
    calls = [
        [{"index": 0, "function": {"name": "f"}, **{f"x{number}-{at}": 1 for at in range(30)}}] for number in range(3)
    ]
    with streaming(tool_stream(*calls)) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert outcome.status == "BAD_RESPONSE" and "more than 64 fields in a tool call" in outcome.message, outcome
    endless = [[{"index": 0, "function": {"arguments": "x"}, "signature": "y" * 1000}]] * 200
    with streaming(tool_stream(*endless)) as gateway:
        outcome = perform(gateway.url, "message user=hi", "option max_gathered_bytes=4096", "stream")
    assert outcome.status == "STREAM_END", "replaced values are not counted"


def test_done_without_events_is_no_candidates() -> None:
    with streaming("data: [DONE]\n\n") as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.error_http_status) == ("NO_CANDIDATES", 200)


@three_attempts
def test_event_with_many_tool_calls_is_rejected_within_a_second() -> None:
    """The number and the order of tool calls must not matter."""
    calls = [{"index": index, "function": {"arguments": "x"}} for index in range(50_000)]
    for fragments in (calls[::-1], calls[:1024]):
        with streaming(events(chunk(None, tool_calls=fragments), "[DONE]")) as gateway:
            outcome = perform(gateway.url, "message user=hi", "callback")
        assert outcome.took_us < 1_000_000
        assert outcome.status == ("OK" if len(fragments) == 1024 else "BAD_RESPONSE"), outcome.message
    endless = events(*(chunk(None, tool_calls=[call]) for call in calls[:1100]))
    with streaming(endless) as gateway:
        outcome = perform(gateway.url, "message user=hi", "callback")
    assert outcome.status == "BAD_RESPONSE" and "more than 1024 tool calls" in outcome.message


def test_stream_reset_by_the_peer_is_truncated() -> None:
    def reset(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("chunked", 0) + framed(events(chunk("some")).encode(), "chunked")[:-5])
        handler.wfile.flush()
        time.sleep(0.1)
        handler.reset()

    with serving(reset) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_TRUNCATED", "some")
    assert "reset" in outcome.message


@three_attempts
def test_stream_timeout_ms_limits_the_whole_stream() -> None:
    def endless(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0))
        while True:
            handler.wfile.write(events(chunk("x")).encode())
            handler.wfile.flush()
            time.sleep(0.05)

    with serving(endless) as gateway:
        outcome = perform(gateway.url, "message user=hi", "option stream_timeout_ms=400", "callback")
        assert outcome.status == "TIMEOUT" and outcome.response.texts[0].startswith("xxxx")
        assert 390_000 < outcome.took_us < 500_000
        silent = perform(
            gateway.url, "message user=hi", "option stream_timeout_ms=400", "option gather_stream=false", "callback"
        )
        assert silent.status == "TIMEOUT" and silent.text().startswith("xxxx")
        assert silent.response.texts == [None], "nothing is gathered"


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
@three_attempts
def test_callback_stops_the_stream_and_closes_the_connection(build: Build) -> None:
    closed_after = []

    def endless(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0))
        count = 0
        try:
            while True:
                count += 1
                handler.wfile.write(events(chunk(f"{count} ")).encode())
                handler.wfile.flush()
                time.sleep(0.005)
        except OSError:
            closed_after.append(count)

    with serving(endless) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stop-after 3", "callback", "sleep 100", build=build)
        deadline = time.monotonic() + 5
        while not closed_after and time.monotonic() < deadline:
            time.sleep(0.01)
    assert (outcome.status, outcome.text(), outcome.response.texts) == ("CANCELLED", "1 2 3 ", ["1 2 3 "])
    assert closed_after, "the socket is closed while the server still sends"
    if build is SHARED:
        assert outcome.took_us - outcome.deltas[-1][2] < 20_000
        assert closed_after[0] < 20


def test_callback_stops_a_response_that_is_not_a_stream() -> None:
    response = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    with serving(lambda handler, request: handler.respond(200, response)) as gateway:
        chat, raw = perform_all(
            gateway.url, "message user=hi", "stop-after 1", "callback", "again", "path - /x", "body {}",
            f"stop-at {OTHER}", "callback",
        )  # fmt: skip
    assert (chat.status, [event.summary for event in chat.events]) == ("CANCELLED", [(TEXT, 0, "x")])
    assert (raw.status, [event.kind for event in raw.events]) == ("CANCELLED", [OTHER])
    assert chat.response.texts == raw.response.texts == ["x"]


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_event_may_be_as_large_as_max_event_bytes(build: Build) -> None:
    large = "é\U0001f600" * 500_000
    stream = events(chunk(large), chunk(None, finish_reason="stop"))
    with streaming(stream) as gateway:
        fine, limited, just = perform_all(
            gateway.url, "message user=hi", "stream", "option max_event_bytes=1024", "stream",
            f"option max_event_bytes={len(stream.encode())}", "stream", build=build,
        )  # fmt: skip
    assert (fine.status, just.status) == ("STREAM_END", "STREAM_END")
    assert fine.response.texts == [large]
    assert (limited.status, limited.deltas) == ("RESPONSE_TOO_LARGE", [])
    assert "1024 bytes (max_event_bytes)" in limited.message


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_response_that_is_not_a_stream_is_read(build: Build) -> None:
    choices = [
        {"index": 0, "message": {"role": "assistant", "content": "whole"}, "finish_reason": "stop"},
        {"index": 1, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"},
    ]
    with serving(
        lambda handler, request: handler.respond(200, {"choices": choices, "usage": {"total_tokens": 9}})
    ) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream", build=build)
        assert (outcome.status, [delta[:2] for delta in outcome.deltas]) == ("STREAM_END", [(0, "whole")])
        assert outcome.response.texts == ["whole", None] and outcome.response.usage == [-1, -1, 9]
        outcome = perform(gateway.url, "message user=hi", "option gather_stream=false", "callback", build=build)
        assert (outcome.status, outcome.text(), outcome.response.texts) == ("OK", "whole", [None, None])
    with serving(lambda handler, request: handler.respond(200, "<html>")) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream", build=build)
        assert (outcome.status, outcome.response) == ("BAD_RESPONSE", None)
    with serving(lambda handler, request: handler.respond(429, {"detail": "Budget limit exceeded."})) as gateway:
        outcome = perform(gateway.url, "message user=hi", "callback", build=build)
        assert (outcome.status, outcome.response, outcome.error_attempts) == ("BUDGET_EXCEEDED", None, 1)


def test_connection_is_reused_by_streams_and_calls() -> None:
    def respond(handler: Handler, request: Request) -> None:
        if request.json().get("stream"):
            send_stream(handler, STREAM + "data: [DONE]\n\n")
        else:
            handler.respond(200, {"choices": [{"message": {"content": "whole"}}]})

    with serving(respond) as gateway:
        outcomes = perform_all(gateway.url, "message user=hi", "stream", "send", "callback", "send", "stream")
        assert [outcome.status for outcome in outcomes] == ["STREAM_END", "OK", "OK", "OK", "STREAM_END"]
        assert gateway.connections == 1


@three_attempts
def test_server_that_lingers_after_done_does_not_delay_the_caller() -> None:
    def linger(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("chunked", 0) + framed((STREAM + events("[DONE]")).encode(), "chunked")[:-5])
        handler.wfile.flush()
        handler.connection.settimeout(5)
        with pytest.raises((ConnectionError, socket.timeout)):
            if not handler.connection.recv(1):
                raise ConnectionError
        handler.close_connection = True

    with serving(linger) as gateway:
        outcomes = perform_all(gateway.url, "message user=hi", "callback", "callback")
    for outcome in outcomes:
        assert outcome.status == "OK" and outcome.took_us < 500_000, outcome


REASONED = (
    events(chunk(None, role="assistant"))
    + events(chunk(None, reasoning_content="Let"), chunk(None, reasoning_content=" me"), chunk("", reasoning_content=" see"))
    + "event: ping\ndata: {\"type\": \"ping\"}\n\n: a comment\n\n"
    + events(chunk("A"), chunk("B"), chunk(None, refusal="but"), chunk("C", finish_reason="stop"))
    + events({**usage_chunk(3, 5), "usage": {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2},
              "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 4}}})
)  # fmt: skip


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_events_of_each_kind_have_text_tokens_and_raw_data(build: Build) -> None:
    with streaming(REASONED) as gateway:
        outcome, bare = perform_all(
            gateway.url, "message user=hi", "show-raw", "stream", "option gather_stream=false", "callback", build=build
        )
    assert (outcome.status, bare.status) == ("STREAM_END", "OK"), outcome
    assert [event.summary for event in outcome.events] == [
        (OTHER, 0, None), (REASONING, 0, "Let"), (REASONING, 0, " me"), (REASONING, 0, " see"), (OTHER, 0, None),
        (TEXT, 0, "A"), (TEXT, 0, "B"), (REFUSAL, 0, "but"), (TEXT, 0, "C"), (FINISH, 0, "stop"), (USAGE, 0, None),
    ]  # fmt: skip
    assert [event._replace(us=0) for event in outcome.events] == [event._replace(us=0) for event in bare.events]
    raw = [json.loads(event.raw_data) for event in outcome.events]
    assert raw[3]["choices"][0]["delta"] == {"content": "", "reasoning_content": " see"} and raw[8] == raw[9]
    assert [event.raw_name for event in outcome.events] == [None] * 4 + ["ping"] + [None] * 6 and raw[4] == {"type": "ping"}
    tokens = [3, 5, -1, 2, 4, -1]
    assert [event.tokens for event in outcome.events] == [[-1] * 6] * 10 + [tokens]
    (candidate,) = outcome.response.candidates
    assert (candidate.reasoning, candidate.text, candidate.refusal) == ("Let me see", "ABC", "but")
    assert candidate.message == {
        "role": "assistant", "content": "ABC", "reasoning_content": "Let me see", "refusal": "but",
    }  # fmt: skip
    assert (outcome.response.id, outcome.response.tokens) == ("x", tokens)
    (candidate,) = bare.response.candidates
    assert (candidate.reasoning, candidate.text, candidate.refusal, candidate.message_json) == (None,) * 4
    assert (candidate.finish_reason, bare.response.id, bare.response.tokens) == ("stop", "x", tokens)


def test_reasoning_is_gathered_under_the_field_name_of_the_server() -> None:
    parts = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}]
    signature = [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "", "signature": "s"}]}]
    rows = [
        ([chunk(None, reasoning="h"), chunk("", reasoning="m")], {"content": None, "reasoning": "hm"}),
        ([chunk(None, thinking="hm"), chunk("x")], {"content": "x", "thinking": "hm"}),
        ([chunk(None, reasoning="hm", reasoning_content="hm")], {"content": None, "reasoning_content": "hm"}),
        (
            [chunk(parts), chunk(signature), chunk([{"type": "text", "text": "x"}]), chunk("y")],
            {"content": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm", "signature": "s"}]},
                {"type": "text", "text": "xy"},
            ]},
        ),
    ]  # fmt: skip
    for chunks, message in rows:
        with streaming(events(*chunks, chunk(None, finish_reason="stop"))) as gateway:
            outcome = perform(gateway.url, "message user=hi", "stream")
        (candidate,) = outcome.response.candidates
        assert candidate.reasoning == "hm" == "".join(event.text for event in outcome.events if event.kind == REASONING)
        assert candidate.message == {"role": "assistant", **message}


def test_tool_call_events_have_id_and_name() -> None:
    def fragment(index: int, arguments: object, **more: object) -> dict:
        return {"index": index, "function": {"name": more.pop("name", None), "arguments": arguments}, **more}

    stream = tool_stream(
        [fragment(1, "", id="b", name="g")],
        [fragment(0, '{"x":', id="a", name="f"), fragment(1, "{}")],
        [fragment(0, "1}")],
    )
    with streaming(stream) as gateway:
        outcome, bare = perform_all(
            gateway.url, "message user=hi", "stream", "option gather_stream=false", "stream"
        )
    found = [(event.tool_call, event.tool_call_id, event.tool_call_name, event.text) for event in outcome.events]
    assert found == [
        (0, "b", "g", ""), (1, "a", "f", '{"x":'), (0, "b", "g", "{}"), (1, "a", "f", "1}"), (0, None, None, "tool_calls"),
    ]  # fmt: skip
    assert outcome.response.candidates[0].tool_calls == [["b", "g", "{}"], ["a", "f", '{"x":1}']]
    assert [event._replace(us=0) for event in outcome.events] == [event._replace(us=0) for event in bare.events]
    assert bare.response.candidates[0].tool_calls == []


def test_response_that_is_not_a_stream_gives_the_same_kinds_of_events() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}, "thought_signature": "s"}
    message = {"role": "assistant", "content": "x", "reasoning": "hm", "refusal": "no", "tool_calls": [call]}
    response = {"id": "i", "choices": [{"message": message, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    with serving(lambda handler, request: handler.respond(200, response)) as gateway:
        outcome, bare = perform_all(
            gateway.url, "message user=hi", "show-raw", "callback", "option gather_stream=false", "stream"
        )
    for one in (outcome, bare):
        assert [event.summary for event in one.events] == [
            (REASONING, 0, "hm"), (TEXT, 0, "x"), (REFUSAL, 0, "no"), (TOOL_CALL, 0, "{}"), (FINISH, 0, "stop"),
            (USAGE, 0, None),
        ]  # fmt: skip
        assert all(json.loads(event.raw_data) == response for event in one.events)
        assert (one.response.id, one.response.tokens[2], one.events[-1].tokens[2]) == ("i", 3, 3)
        times = one.response.times_us
        assert 0 < times[1] <= times[2] <= times[3] <= times[4], "all times are those of the whole response"
    call["function"]["arguments"] = "{}"
    assert outcome.response.candidates[0].message == message
    assert bare.response.candidates[0].message_json is None and bare.response.body is None
    assert bare.response.candidates[0].finish_reason == "stop"


def test_callback_that_stops_a_complete_response_cancels_it() -> None:
    """As for a stream: a complete response makes no difference to the program."""
    response = {"choices": [{"message": {"content": "x", "reasoning": "hm"}, "finish_reason": "stop"}]}
    with serving(lambda handler, request: handler.respond(200, response)) as gateway:
        outcomes = perform_all(
            gateway.url, "message user=hi", f"stop-at {REASONING}", "callback", f"stop-at {FINISH}", "callback",
            "again", "path - /x", "body {}", f"stop-at {OTHER}", "callback",
        )  # fmt: skip
    assert [(outcome.status, len(outcome.events)) for outcome in outcomes] == [
        ("CANCELLED", 1), ("CANCELLED", 3), ("CANCELLED", 1),
    ]  # fmt: skip
    assert all(outcome.message.endswith(": the callback stopped the stream") for outcome in outcomes)
    assert all(outcome.response.texts == ["x"] for outcome in outcomes)


def test_response_can_be_taken_from_a_stream() -> None:
    stream = events(chunk("one"), chunk(" two"), chunk(" three", finish_reason="stop"), "[DONE]")
    with streaming(stream) as gateway:
        whole, stopped = perform_all(gateway.url, "message user=hi", "take", "stream", "stop-after 2", "stream")
    assert (whole.status, whole.response.texts) == ("STREAM_END", ["one two three"])
    assert (stopped.status, stopped.response.texts, stopped.response.http_status) == ("OK", ["one two"], 200)


@three_attempts
def test_times_of_each_phase_are_reported() -> None:
    def slow(handler: Handler, request: Request) -> None:
        time.sleep(0.1)
        handler.wfile.write(head("until close", 0))
        handler.wfile.flush()
        for each in (chunk(None, role="assistant"), chunk(None, reasoning="hm"), chunk("x"), chunk(None, finish_reason="stop")):
            time.sleep(0.1)
            handler.wfile.write(events(each).encode())
            handler.wfile.flush()
        handler.close_connection = True

    with serving(slow) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    queued, connected, first_byte, first_token, first_text, total = outcome.response.times_us
    assert queued == -1 and 0 <= connected < 50_000
    for time_us, expected in ((first_byte, 100_000), (first_token, 300_000), (first_text, 400_000), (total, 500_000)):
        assert expected <= time_us < expected + 60_000, outcome.response.times_us


def test_times_of_a_call_without_stream_have_no_first_token() -> None:
    response = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    with serving(lambda handler, request: handler.respond(200, response)) as gateway:
        for sent in perform_all(gateway.url, "message user=hi", "send", "send"):
            queued, connected, first_byte, first_token, first_text, total = sent.response.times_us
            assert (queued, first_token, first_text) == (-1, -1, -1) and 0 <= connected <= first_byte <= total


@three_attempts
def test_callback_stops_a_model_during_reasoning() -> None:
    """The model only reasons for a long time."""

    def reasoning(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0))
        for at in range(100):
            handler.wfile.write(events(chunk(None, reasoning_content=f"{at} ")).encode())
            handler.wfile.flush()
            time.sleep(0.05)

    with serving(reasoning) as gateway:
        outcome = perform(gateway.url, "message user=hi", f"stop-at {REASONING}", "callback")
    assert (outcome.status, [event.summary for event in outcome.events]) == ("CANCELLED", [(REASONING, 0, "0 ")])
    assert outcome.took_us < 500_000 and outcome.response.candidates[0].reasoning == "0 "
