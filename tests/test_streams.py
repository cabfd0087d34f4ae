"""Streams: text and status at every cut and in every split of the stream, limits, callbacks, and times."""

import json
import socket
import time

import pytest
from support.builds import ALL, CHECKED, SHARED, Build
from support.event_streams import (
    BEGINNING,
    DONE,
    FRAMINGS,
    LINE_ENDS,
    STREAM,
    TEXTS,
    chunk,
    event_of,
    events,
    expected,
    framed,
    head,
    send_stream,
    serving,
    streaming,
    unframed,
    usage_chunk,
)
from support.operations import FINISH, OTHER, REASONING, TEXT, perform, perform_all
from support.scripted_gateway import Handler, Request
from support.timing import three_attempts


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


@pytest.mark.parametrize("line_end", LINE_ENDS, ids=repr)
@three_attempts
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


@three_attempts
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
