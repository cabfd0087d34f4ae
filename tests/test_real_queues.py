"""A queue on real gateways: each request has the response of a direct call."""

import os
from collections.abc import Iterator

import pytest
from gateways import language_model, mlflow_server
from gateways.processes import Server
from support.operations import Outcome, perform_all
from support.queue_program import queue_program
from support.real_gateways import RealGateway

PROMPTS = int(os.environ.get("REAL_PROMPTS", "20"))
"""`make test-real-queues` sends 200."""
SECONDS = 1200
SETTINGS = ("handle-param temperature=0", "handle-param max_tokens=3", "handle-option timeout_ms=120000")


@pytest.fixture(scope="module")
def smollm2() -> Iterator[Server]:
    """The gateway of MLflow 3.17.2 in front of a real language model."""
    with language_model.start(parallel_responses=1) as model, mlflow_server.start("3.17.2", model.url) as gateway:
        yield gateway


def prompt(number: int) -> str:
    topics = ("the sea", "bread", "a number", "music", "winter", "a small town", "iron", "letters")
    return f"Say {number} and {topics[number % len(topics)]}."


def results(outcome: Outcome) -> tuple:
    assert outcome.status in ("OK", "STREAM_END"), outcome
    return outcome.response.texts, outcome.response.usage, outcome.response.candidates[0].finish_reason


def test_prompts_of_a_queue_have_the_responses_of_calls_one_by_one(smollm2: Server) -> None:
    one_by_one = [
        outcome
        for number in range(PROMPTS)
        for outcome in perform_all(smollm2.url, *SETTINGS, f"message user={prompt(number)}", "send", route="chat")
    ]
    with queue_program(smollm2.url, route="chat", settings=SETTINGS, seconds=SECONDS) as program:
        for number in range(PROMPTS):
            program.submit_prompt("send", number, prompt(number))
        queued = {end.tag: end.done for end in program.rest()}
    assert [results(queued[number]) for number in range(PROMPTS)] == [results(one) for one in one_by_one]
    assert len({results(one)[0][0] for one in one_by_one}) > 3, "the prompts have different responses"


def test_streams_of_a_real_model_equal_direct_ones(smollm2: Server) -> None:
    settings = ("handle-param temperature=0", "handle-param max_tokens=8")
    with queue_program(smollm2.url, route="chat", settings=settings) as program:
        for number in range(4):
            program.submit_prompt("stream", number, prompt(number))
        fetched = program.rest()
    for number in range(4):
        (direct,) = perform_all(smollm2.url, *settings, f"message user={prompt(number)}", "stream", route="chat")
        *of_events, end = [one for one in fetched if one.tag == number]
        assert results(end.done) == results(direct) and len(of_events) > 3
        assert [one.event.summary for one in of_events] == [event.summary for event in direct.events]


@pytest.mark.parametrize("route", ["completions", "chat"])
def test_whole_and_streamed_responses_equal_direct_ones(real_gateway: RealGateway, route: str) -> None:
    content = "message user=hi" if route == "chat" else "prompt hi"
    direct, queued = perform_all(real_gateway.url, content, "send", "queue-send", route=route)
    assert results(queued) == results(direct)
    if real_gateway.version != "2.8.1":
        direct, queued = perform_all(real_gateway.url, "message user=hi", "stream", "queue-stream", route="chat")
        assert results(queued) == results(direct)
        assert [event.summary for event in queued.events] == [event.summary for event in direct.events]


def test_embeddings_equal_direct_ones(real_gateway: RealGateway) -> None:
    for route in ("embeddings", "e5"):
        direct, queued = perform_all(real_gateway.url, "inputs 5", "embed", "queue-embed", route=route)
        assert queued.status == direct.status == "OK"
        assert queued.embeddings == direct.embeddings and queued.embeddings.count == 5
