"""Errors of streams: error events of every shape, truncated streams, and streams without text."""

import time

import pytest
from support.builds import CHECKED, SHARED, Build
from support.event_streams import (
    BEGINNING,
    DONE,
    FRAMINGS,
    chunk,
    events,
    framed,
    head,
    serving,
    streaming,
)
from support.operations import perform, perform_all
from support.scripted_gateway import Handler, Request
from support.timing import three_attempts


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_stream_failing_in_the_middle_keeps_its_text_and_is_not_retried(build: Build) -> None:
    beginning = events(chunk("some"), chunk(" words"))
    error = {"error": {"message": "the model\nis gone: Bearer hunter22", "type": "ClientConnectorError"}}
    rows = [
        (beginning + events(error), "STREAM_ERROR", "the model is gone: ***", "ClientConnectorError"),
        (beginning + events({"error": "plain"}), "STREAM_ERROR", "plain", None),
        (beginning + events("{'not': json}"), "BAD_RESPONSE", "not JSON", None),
        (beginning + events("[1]"), "BAD_RESPONSE", "a list, not an object", None),
        (
            beginning + events({"choices": [{"index": 5000, "delta": {}}]}),
            "BAD_RESPONSE",
            "more than 1024 candidates",
            None,
        ),
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
    """openai-python does not treat these values as errors."""
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


@three_attempts
def test_error_line_ends_the_stream_without_a_blank_line() -> None:
    def stay_open(handler: Handler, request: Request) -> None:
        handler.wfile.write(head("until close", 0) + (BEGINNING + 'error: {"message":"m"}\n').encode())
        handler.stall()

    with serving(stay_open) as gateway:
        outcome = perform(gateway.url, "message user=hi", "option idle_timeout_ms=2000", "stream")
    assert (outcome.status, outcome.text()) == ("STREAM_ERROR", "some words"), outcome
    assert outcome.took_us < 500_000


def test_done_without_events_is_no_candidates() -> None:
    with streaming("data: [DONE]\n\n") as gateway:
        outcome = perform(gateway.url, "message user=hi", "stream")
    assert (outcome.status, outcome.error_http_status) == ("NO_CANDIDATES", 200)


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
