"""Streams of real gateways, in front of a real model and of a scripted one that fails on demand."""

import json
import os
import subprocess
import time

import pytest
from gateways.processes import Server
from gateways.scripted_upstream import THOUGHT
from support.builds import CHECKED, SHARED, Build
from support.operations import OTHER, REASONING, escaped, perform, perform_all
from support.real_gateways import RealGateway
from support.scripted_model import TOOLS
from support.timing import three_attempts

STREAMING = ("2.22.5", "3.17.2")


@three_attempts
def test_text_of_a_real_model_arrives_while_it_is_generated(smollm2: Server) -> None:
    commands = ["message user=Count from one to ten in words.", "param max_tokens=40", "param temperature=0"]
    fetched, called, whole = perform_all(smollm2.url, *commands, "stream", "callback", "send", route="chat")
    for outcome in (fetched, called):
        assert outcome.status in ("STREAM_END", "OK"), outcome
        assert outcome.text() == whole.response.texts[0]
        assert outcome.response.texts == whole.response.texts
        assert outcome.response.candidates[0].finish_reason == whole.response.candidates[0].finish_reason
        assert outcome.response.candidates[0].role == "assistant"
        assert outcome.response.usage == whole.response.usage and min(whole.response.usage) > 0
        times = [us for _, _, us in outcome.deltas]
        assert len(times) > 10
        assert times[0] < times[-1] - 100_000, "the first word arrives well before the last"


@three_attempts
def test_example_chat_prints_text_while_it_is_generated(smollm2: Server) -> None:
    arguments = ["-u", smollm2.url, "-t", "0", "-m", "40", "-v"]
    prompt = "Count from one to ten in words."
    with SHARED.start("chat.c", *arguments, stdin=subprocess.PIPE) as program:
        program.stdin.write(prompt.encode() + b"\n")
        program.stdin.close()
        pieces = []
        while piece := os.read(program.stdout.fileno(), 1000):
            pieces.append((time.monotonic(), piece))
        errors = program.stderr.read().decode()
    response = perform(
        smollm2.url, f"message user={prompt}", "param max_tokens=40", "param temperature=0", "send", route="chat"
    )
    assert b"".join(piece for _, piece in pieces).decode() == response.response.texts[0] + "\n"
    assert len(pieces) > 5 and pieces[0][0] < pieces[-1][0] - 0.1
    assert errors == f"tokens: input {response.response.usage[0]}, output {response.response.usage[1]}\n"


def test_completions_stream_cut_off_by_the_gateway_is_truncated(smollm2: Server) -> None:
    """With an upstream that responds in the completions shape, 3.17.2 sends status 200 and no event."""
    commands = ["prompt The capital of France is", "param max_tokens=4"]
    outcome = perform(smollm2.url, *commands, "stream", route="completions")
    assert (outcome.status, outcome.response.candidates) == ("STREAM_TRUNCATED", [])
    assert perform(smollm2.url, *commands, "send", route="completions").status == "OK"


@pytest.mark.parametrize("build", (SHARED, *CHECKED), ids=lambda build: build.name)
def test_real_gateways_stream_or_are_unsupported(real_gateway: RealGateway, build: Build) -> None:
    for route in ("chat", "completions"):
        commands = ["prompt one two three", "stream", "callback", "send"]
        fetched, called, whole = perform_all(real_gateway.url, *commands, route=route, build=build)
        assert whole.response.texts == ["echo: one two three"]
        if real_gateway.version == "2.8.1":
            for outcome in (fetched, called):
                assert outcome.status == "UNSUPPORTED" and "MLflow 2.5 to 2.8, which cannot stream" in outcome.message
                assert (outcome.response, outcome.error_attempts) == (None, 0)
            continue
        for outcome in (fetched, called):
            assert outcome.status in ("STREAM_END", "OK"), outcome
            assert [text for _, text, _ in outcome.deltas] == ["echo:", " one", " two", " three"]
            assert outcome.response.texts == whole.response.texts
            if real_gateway.version == "3.17.2":
                assert outcome.response.usage == whole.response.usage


@pytest.mark.parametrize("version", STREAMING)
def test_real_gateways_stream_several_candidates(real_gateways: dict[str, RealGateway], version: str) -> None:
    outcome = perform(real_gateways[version].url, "message user=hi", "param n=3", "stream", route="chat")
    assert outcome.status == "STREAM_END"
    assert outcome.response.texts == ["echo: hi", "echo: hi #1", "echo: hi #2"]
    assert [outcome.text(candidate) for candidate in range(3)] == outcome.response.texts


@pytest.mark.parametrize("version", STREAMING)
@pytest.mark.parametrize("fault", ["!error 3", "!break 3", "!error 0", "!status 503", "!status 401"])
def test_failure_behind_a_real_gateway_is_truncated(
    real_gateways: dict[str, RealGateway], version: str, fault: str
) -> None:
    """The gateways do not report the failure: they end the body under HTTP 200, and 2.22.5 even with a last chunk."""
    outcome = perform(real_gateways[version].url, f"message user={fault} one two three", "stream", route="chat")
    assert outcome.status == "STREAM_TRUNCATED", outcome
    if "3" in fault.split(" ")[1][0]:
        assert outcome.text() and "echo".startswith(outcome.text()[:4])
    else:
        assert outcome.deltas == [] and "the model provider may have rejected the request" in outcome.message


@pytest.mark.parametrize("version", STREAMING)
def test_error_response_of_a_real_gateway_has_its_status(real_gateways: dict[str, RealGateway], version: str) -> None:
    outcome = perform(real_gateways[version].url, "message user=hi", "param temperature=3", "stream", route="chat")
    assert (outcome.status, outcome.error_http_status) == ("BAD_REQUEST", 422), outcome


def test_streamed_tool_calls_of_a_real_gateway_equal_those_of_a_whole_response(
    real_gateways: dict[str, RealGateway],
) -> None:
    commands = [f"param tools={json.dumps(TOOLS)}", "message user=!tools", "stream", "send"]
    streamed, whole = perform_all(real_gateways["3.17.2"].url, *commands, route="chat")
    assert streamed.status == "STREAM_END"
    streamed_candidate, whole_candidate = streamed.response.candidates[0], whole.response.candidates[0]
    assert streamed_candidate._replace(message_json=None) == whole_candidate._replace(message_json=None)
    assert streamed_candidate.message["tool_calls"] == whole_candidate.message["tool_calls"]
    # 2.22.5 drops them, as the header documents.
    streamed, whole = perform_all(real_gateways["2.22.5"].url, *commands, route="chat")
    assert (streamed.status, streamed.response.candidates[0].finish_reason) == ("STREAM_END", "tool_calls")
    assert streamed.response.candidates[0].tool_calls == [] and len(whole.response.candidates[0].tool_calls) == 2


def test_streamed_tool_call_without_arguments_can_be_sent_back(real_gateways: dict[str, RealGateway]) -> None:
    """The upstream sends an empty string, as models do, and a signature that must be sent back."""
    gateway, tools = real_gateways["3.17.2"], f"param tools={json.dumps(TOOLS)}"
    streamed = perform(gateway.url, tools, "message user=!tools !signed", "stream", route="chat")
    assert streamed.status == "STREAM_END", streamed
    (candidate,) = streamed.response.candidates
    (sent_back,) = candidate.message["tool_calls"]
    assert candidate.tool_calls == [[sent_back["id"], sent_back["function"]["name"], "{}"]]
    assert sent_back["function"]["arguments"] == "{}" and sent_back["thought_signature"] == "c2lnbmVk"
    messages = [
        {"role": "user", "content": "what time is it?"},
        {"role": "assistant", "content": None, "tool_calls": [sent_back]},
        {"role": "tool", "tool_call_id": sent_back["id"], "content": "noon"},
    ]
    gateway.upstream.forget_requests()
    next_turn = (f"message-json {escaped(json.dumps(message))}" for message in messages)
    next_response = perform(gateway.url, tools, *next_turn, "send", route="chat")
    assert next_response.status == "OK" and next_response.response.texts == ["echo: noon"], next_response
    (request,) = gateway.upstream.requests()
    assert request["body"]["messages"][1]["tool_calls"] == [sent_back]


@pytest.mark.alone
@three_attempts
def test_callback_receives_reasoning_within_50_ms_and_stops_within_20_ms(tracking_server: RealGateway) -> None:
    """The model reasons for 5 seconds. Of the paths of 3.17.2, only the passthrough keeps the reasoning."""
    uri, commands = f"{tracking_server.url}/gateway/openai/v1", "message user=!reason 5000 hi"
    whole = perform(uri, commands, "show-raw", "callback", route="chat")
    assert whole.status == "OK" and whole.text() == "echo: !reason 5000 hi", whole
    thoughts = [event for event in whole.events if event.kind == REASONING]
    assert {event.text for event in thoughts} == {THOUGHT}
    assert whole.response.candidates[0].reasoning == THOUGHT * len(thoughts)
    sent_us = [int(json.loads(event.raw_data)["id"]) for event in thoughts]
    assert len(thoughts) > 50 and sent_us[-1] - sent_us[0] > 4_500_000
    late_us = [whole.started_at_us + event.us - sent for event, sent in zip(thoughts, sent_us)]
    assert 0 <= min(late_us) and max(late_us) < 50_000, f"{max(late_us)} microseconds"
    first_token_us, first_text_us = whole.response.times_us[3:5]
    assert first_token_us < 500_000 and first_text_us > 4_500_000
    stopped = perform(uri, commands, f"stop-at {REASONING} 10", "callback", route="chat")
    assert stopped.status == "CANCELLED" and [event.kind for event in stopped.events] == [OTHER, *[REASONING] * 10]
    assert stopped.response.candidates[0].reasoning == THOUGHT * 10
    assert stopped.took_us < 2_500_000 and stopped.took_us - stopped.events[-1].us < 20_000
