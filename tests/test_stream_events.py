"""Events of streams by kind: text, reasoning, refusals, tool calls, finish reason, usage, and raw data."""

import json

import pytest
from support.builds import ALL, Build
from support.event_streams import (
    chunk,
    event_of,
    events,
    serving,
    streaming,
    usage_chunk,
)
from support.operations import FINISH, OTHER, REASONING, REFUSAL, TEXT, TOOL_CALL, USAGE, perform, perform_all
from support.timing import three_attempts


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


def test_tool_call_arguments_split_in_a_character_are_joined() -> None:
    call = '[{"index":0,"id":"a","function":{"name":"f","arguments":"%s"}}]'
    stream = event_of("", call=call % r"{\"x\":\"\ud83d") + event_of("y", call=call % r"\ude00\"}")
    with streaming(stream + event_of("", '"stop"')) as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_END", "y")
    assert outcome.response.candidates[0].tool_calls == [["a", "f", '{"x":"\U0001f600"}']]


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
        [
            {
                "index": 0,
                "id": "a",
                "type": "function",
                "thought_signature": "x",
                "function": {"name": "f", "arguments": "{"},
            }
        ],
        [
            {
                "index": 0,
                "extra_content": signature,
                "thought_signature": None,
                "function": {"arguments": "}", "strict": True},
            }
        ],
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
    assert [event.raw_name for event in outcome.events] == [None] * 4 + ["ping"] + [None] * 6 and raw[4] == {
        "type": "ping"
    }
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
        outcome, bare = perform_all(gateway.url, "message user=hi", "stream", "option gather_stream=false", "stream")
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
