"""A queue sends many requests at once, and returns each event and the end of each request, as the direct calls do."""

import threading
import time
from collections.abc import Callable

import pytest
from support.builds import PLAIN, SHARED, THREADED, Build
from support.commanded_gateway import gateway as commanded_gateway
from support.event_streams import DONE, STREAM, chunk, events, send_stream, serving, streaming, usage_chunk
from support.fast_gateway import FastGateway
from support.operations import Outcome, perform_all
from support.queue_program import QueueProgram, queue_program, wait_until
from support.scripted_gateway import CHAT_ROUTE, Handler, Request, ScriptedGateway, one_route, refused_port
from support.timing import three_attempts

EMBEDDINGS_ROUTE = {"name": "r", "endpoint_type": "llm/v1/embeddings"}

MANY_KINDS = events(
    chunk(None, role="assistant", reasoning_content="Let me"),
    chunk("A\0B"),
    chunk("second", index=1),
    chunk(None, refusal="no"),
    chunk(None, tool_calls=[{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": '{"x'}}]),
    chunk(None, tool_calls=[{"index": 0, "function": {"arguments": '":1}'}}]),
    chunk(None, finish_reason="tool_calls"),
    chunk(None, index=1, finish_reason="stop"),
)
STREAMS = {
    "texts": STREAM,
    "all kinds": MANY_KINDS + "event: ping\ndata: {}\n\n" + events(usage_chunk(3, 5)) + DONE,
    "truncated": events(chunk("some"), chunk(" words")),
    "failed": events(chunk("some"), {"error": {"message": "out of order", "type": "x", "code": "y"}}),
}


class Gate:
    """Counts the requests that a server handles at the same time, and holds them until they are released."""

    def __init__(self, is_open: bool = False) -> None:
        self.now = self.most = self.all = 0
        self._lock = threading.Lock()
        self._free = threading.Semaphore(1_000_000 if is_open else 0)

    def release(self, count: int = 1) -> None:
        for _ in range(count):
            self._free.release()

    def __call__(self, handler: Handler, request: Request) -> None:
        """Responds with the prompt."""
        with self._lock:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)
        self._free.acquire(timeout=30)
        with self._lock:
            self.now -= 1
        respond_with(handler, prompt_of(request))


def prompt_of(request: Request) -> str:
    return request.json()["messages"][-1]["content"]


def respond_with(handler: Handler, text: str) -> None:
    message = {"role": "assistant", "content": text}
    handler.respond(200, {"choices": [{"message": message, "finish_reason": "stop"}]})


def echo_prompt(handler: Handler, request: Request) -> None:
    respond_with(handler, prompt_of(request))


def stall(handler: Handler, request: Request) -> None:
    handler.stall()


def text_of(done: Outcome) -> str:
    assert done.status == "OK", done
    return done.response.texts[0]


def comparable(outcome: Outcome) -> dict:
    """Returns all of an outcome, except for its times."""
    fields = outcome._asdict()
    fields["status"] = outcome.status.replace("STREAM_END", "OK")
    fields["events"] = [event._replace(us=0) for event in outcome.events]
    fields["response"] = outcome.response and outcome.response._replace(times_us=[])
    for name in ("started_at_us", "took_us"):
        del fields[name]
    return fields


# The results.


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("settings", [(), ("option gather_stream=false",)], ids=["gathered", "not gathered"])
def test_stream_of_a_queue_has_the_events_and_the_verdict_of_a_direct_stream(
    stream: str, settings: tuple[str, ...]
) -> None:
    with streaming(stream) as gateway:
        direct, queued = perform_all(
            gateway.url, "message user=hi", "show-raw", "show-body", *settings, "stream", "queue-stream"
        )
    assert direct.events
    assert comparable(direct) == comparable(queued)


@pytest.mark.parametrize("cut_after", [0, 30, 200, 700])
def test_stream_cut_at_any_byte_has_the_verdict_of_a_direct_stream(cut_after: int) -> None:
    with streaming(MANY_KINDS[:cut_after]) as gateway:
        direct, queued = perform_all(gateway.url, "message user=hi", "show-raw", "stream", "queue-stream")
    assert direct.status == "STREAM_TRUNCATED"
    assert comparable(direct) == comparable(queued)


def test_whole_response_to_a_stream_has_the_events_of_a_direct_stream() -> None:
    with serving(echo_prompt) as gateway:
        direct, queued = perform_all(gateway.url, "message user=hi", "show-raw", "stream", "queue-stream")
    assert [event.text for event in queued.events] == ["hi", "stop"]
    assert comparable(direct) == comparable(queued)


def test_response_and_embeddings_of_a_queue_equal_those_of_direct_calls() -> None:
    data = {"data": [{"embedding": [0.5, 1.5]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}, "model": "m"}

    def respond(handler: Handler, request: Request) -> None:
        if "input" in request.json():
            handler.respond(200, data)
        else:
            echo_prompt(handler, request)

    with serving(respond) as chat, ScriptedGateway(one_route(respond, EMBEDDINGS_ROUTE)) as embeddings:
        direct, queued = perform_all(chat.url, "message user=hi", "send", "queue-send")
        assert comparable(direct) == comparable(queued) and text_of(queued) == "hi"
        direct, queued = perform_all(embeddings.url, "input hi", "embed", "queue-embed")
        assert comparable(direct) == comparable(queued) and queued.embeddings.values == [[0.5, 1.5]]


def test_raw_requests_of_a_queue_equal_direct_ones() -> None:
    def respond(handler: Handler, request: Request) -> None:
        if request.path == "/v1/stream":
            send_stream(handler, 'event: a\ndata: {"x": 1}\n\ndata: y\n\n')
        else:
            handler.respond(200, "plain\0text", {"Content-Type": "text/plain"})

    with ScriptedGateway(respond) as gateway:
        for path, how in (("/v1/stream", "stream"), ("/v1/text", "send"), ("/v1/text", "stream")):
            direct, queued = perform_all(gateway.url, f"path GET {path}", "show-raw", how, f"queue-{how}")
            assert comparable(direct) == comparable(queued)
            assert direct.status in ("OK", "STREAM_END")


@pytest.mark.parametrize("build", (*PLAIN, *THREADED), ids=lambda build: build.name)
def test_each_of_many_requests_ends_once_with_its_own_response(build: Build) -> None:
    count = 200 if build is SHARED else 40
    gate = Gate(is_open=True)
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=10", build=build) as program:
        for tag in range(count):
            program.submit_prompt("send", tag, f"prompt {tag}")
        ends = program.rest()
    assert sorted(end.tag for end in ends) == list(range(count))
    assert all(text_of(end.done) == f"prompt {end.tag}" for end in ends)
    assert gate.all == count and gate.most <= 10


def test_events_of_each_stream_come_in_order_and_before_its_end() -> None:
    def respond(handler: Handler, request: Request) -> None:
        words = [chunk(f"{number} ") for number in range(30)]
        send_stream(handler, events(chunk(prompt_of(request)), *words, chunk(None, finish_reason="stop")))

    with serving(respond) as gateway, queue_program(gateway.url, "max_in_flight=4") as program:
        for tag in range(20):
            program.submit_prompt("stream", tag, f"stream {tag}: ")
        fetched = program.rest()
    for tag in range(20):
        *of_events, end = [one for one in fetched if one.tag == tag]
        expected = [f"stream {tag}: ", *(f"{number} " for number in range(30)), "stop"]
        assert [one.event.text for one in of_events] == expected
        assert text_of(end.done) == "".join(expected[:-1])


def test_tag_is_any_number_and_may_repeat() -> None:
    tags = [0, 7, 2**64 - 1, 7]
    with serving(echo_prompt) as gateway, queue_program(gateway.url) as program:
        for tag in tags:
            program.submit_prompt("send", tag, "hi")
        assert sorted(one.tag for one in program.rest()) == sorted(tags)


# What may be submitted, and when.


@pytest.mark.parametrize(
    ("how", "request_commands", "route"),
    [
        ("send", [], "r"),
        ("stream", [], "r"),
        ("embed", ["message user=hi"], "r"),
        ("send", ["input hi"], "r"),
        ("embed", ["path GET /x"], "r"),
        ("send", ["message user=hi"], ""),
    ],
)
def test_request_that_cannot_be_sent_is_rejected_as_by_a_direct_call(
    how: str, request_commands: list[str], route: str
) -> None:
    with refused_port() as port:
        url = f"http://127.0.0.1:{port}"
        (direct,) = perform_all(url, *request_commands, how, route=route)
        assert direct.status == "INVALID_ARGUMENT"
        with queue_program(url, route=route) as program:
            assert program.submit(how, 1, *request_commands) == (direct.status, direct.message)
            assert program.counts()[:3] == (0, 0, 0)
            assert program.next(0).status == "PENDING"


def test_settings_with_which_nothing_can_be_sent_are_rejected_as_by_a_direct_call() -> None:
    environment = {"MLFLOW_TRACKING_SERVER_CERT_PATH": "/missing.pem"}
    with refused_port() as port:
        (direct,) = perform_all(f"https://127.0.0.1:{port}", "message user=hi", "send", env=environment)
        with queue_program(f"https://127.0.0.1:{port}", env=environment) as program:
            assert program.submit("send", 1, "message user=hi") == (direct.status, direct.message)
    assert direct.status == "INVALID_OPTION_VALUE"


def test_unknown_way_to_submit_is_rejected() -> None:
    with refused_port() as port, queue_program(f"http://127.0.0.1:{port}") as program:
        for how in ("0", "4", "-1"):
            expected = f"the argument how is {how}; it is 1 (send), 2 (stream) or 3 (embed)"
            assert program.submit(how, 1, "message user=hi") == ("INVALID_ARGUMENT", expected)


def test_queue_is_full_when_max_queued_requests_wait() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=2", "max_queued=3") as program:
        for tag in range(5):
            program.submit_prompt("send", tag, f"prompt {tag}")
        assert program.submit("send", 5, "message user=hi") == ("QUEUE_FULL", "")
        assert program.counts() == (3, 2, 0, 2)
        gate.release()
        assert program.next().status == "OK"
        program.submit_prompt("send", 6, "prompt 6")
        assert program.submit("send", 7, "message user=hi") == ("QUEUE_FULL", "")
        program.set_option("max_queued", 4)
        program.submit_prompt("send", 8, "prompt 8")
        gate.release(100)
        assert len(program.rest()) == 6
    assert gate.all == 7


def test_cancelled_requests_that_wait_to_be_fetched_count_as_waiting() -> None:
    """So a program that submits and cancels cannot fill the memory."""
    with serving(stall) as gateway, queue_program(gateway.url, "max_in_flight=1", "max_queued=2") as program:
        for _ in range(3):
            program.submit_prompt("send", 1, "hi")
        assert program.cancel(1) == 3
        assert program.counts().waiting == 2
        assert program.submit("send", 1, "message user=hi").status in ("OK", "QUEUE_FULL")
        program.cancel(1)
        assert {one.done.status for one in program.rest()} == {"CANCELLED"}


def test_closed_queue_rejects_requests_and_ends_after_the_last_completion() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url) as program:
        assert program.next(0).status == "PENDING"
        program.submit_prompt("send", 1, "hi")
        program.close()
        message = "the queue was closed"
        assert program.submit("send", 2, "message user=hi") == ("INVALID_ARGUMENT", message)
        assert program.next(0).status == "PENDING" and not program.is_readable()
        gate.release()
        assert program.is_readable(30_000)
        assert text_of(program.next().done) == "hi"
        for _ in range(3):
            assert program.next().status == program.next(0).status == "QUEUE_END"
            assert program.is_readable()
        program.close()
        assert program.next().status == "QUEUE_END"


def test_empty_queue_ends_when_it_is_closed() -> None:
    with refused_port() as port, queue_program(f"http://127.0.0.1:{port}") as program:
        assert not program.is_readable()
        program.close()
        assert program.is_readable() and program.next().status == "QUEUE_END"


def test_next_waits_at_most_its_timeout() -> None:
    with serving(stall) as gateway, queue_program(gateway.url) as program:
        program.submit_prompt("send", 1, "hi")
        for timeout_ms in (0, 1, 150):
            fetched = program.next(timeout_ms)
            assert fetched.status == "PENDING" and fetched.message == ""
            assert timeout_ms * 1000 <= fetched.took_us < (timeout_ms + 5_000) * 1000


def test_next_waits_for_a_completion() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url) as program:
        for timeout_ms in (-1, -(2**63), 2**63 - 1, 30_000):
            program.submit_prompt("send", 1, "hi")
            threading.Timer(0.1, gate.release).start()
            fetched = program.next(timeout_ms)
            assert text_of(fetched.done) == "hi" and fetched.took_us < 20_000_000


# Limits and times.


def test_no_more_than_max_in_flight_requests_are_sent_at_once() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=3") as program:
        for tag in range(12):
            program.submit_prompt("send", tag, "hi")
        wait_until(lambda: gate.now == 3)
        time.sleep(0.1)
        assert gate.all == 3 and program.counts() == (9, 3, 0, 3)
        gate.release(100)
        assert len(program.rest()) == 12
    assert gate.most == 3 and gate.all == 12


def test_requests_are_not_sent_while_completions_are_not_fetched() -> None:
    gate = Gate(is_open=True)
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=3") as program:
        for tag in range(30):
            program.submit_prompt("send", tag, "hi")
        counts = program.wait_for(lambda counts: counts.in_flight == 0)
        time.sleep(0.1)
        assert gate.all == counts.unfetched == 30 - counts.waiting
        assert 3 <= gate.all <= 5, "three that ended, and what was in flight at that time"
        assert len(program.rest()) == 30


def test_max_in_flight_can_be_changed_while_requests_run() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=1") as program:
        for tag in range(10):
            program.submit_prompt("send", tag, "hi")
        wait_until(lambda: gate.now == 1)
        assert program.set_option("max_in_flight", 4) == ("OK", "")
        wait_until(lambda: gate.now == 4)
        assert program.counts() == (6, 4, 0, 4)
        program.set_option("max_in_flight", 2)
        gate.release(2)
        assert [program.next().status for _ in range(2)] == ["OK"] * 2
        time.sleep(0.1)
        assert gate.now == 2 and gate.all == 4
        gate.release(1)
        program.next()
        wait_until(lambda: gate.all == 5)
        assert gate.now == 2
        gate.release(100)
        assert len(program.rest()) == 7


def test_wrong_option_changes_nothing() -> None:
    with refused_port() as port, queue_program(f"http://127.0.0.1:{port}") as program:
        status, message = program.set_option("max_in_flight", 0)
        expected = 'the value "0" of the option max_in_flight is not valid; expected an integer from 1 to 4096'
        assert (status, message) == ("INVALID_OPTION_VALUE", expected)
        status, message = program.set_option("timeout_ms", 1)
        assert status == "UNKNOWN_OPTION" and 'a queue has no option "timeout_ms"; it has ' in message
        assert program.counts().limit == 8


@three_attempts
def test_timeout_begins_when_a_request_is_sent() -> None:
    """The last of the requests waits for three others, longer than its timeout."""
    gate = Gate()
    timeout = "handle-option timeout_ms=2000"
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=1", settings=(timeout,)) as program:
        began = time.monotonic()
        for tag in range(4):
            program.submit_prompt("send", tag, "hi")
        ends = []
        for tag in range(4):
            wait_until(lambda number=tag: gate.all == number + 1)
            time.sleep(0.7)
            gate.release()
            ends.append(program.next().done)
        took_us = (time.monotonic() - began) * 1e6
        assert took_us > 2_000_000
        assert all(text_of(end) == "hi" for end in ends)
        queued = [end.response.times_us[0] for end in ends]
        assert 0 <= queued[0] < 700_000 and 2_100_000 <= queued[3] < took_us
        assert queued == sorted(queued)
        assert all(700_000 <= end.response.elapsed_us < 2_000_000 for end in ends), "QUEUED is not within TOTAL"


def test_only_a_queue_reports_a_queued_time() -> None:
    with serving(lambda handler, request: send_stream(handler, STREAM)) as gateway:
        direct, queued = perform_all(gateway.url, "message user=hi", "stream", "queue-stream")
    assert direct.response.times_us[0] == -1 and queued.response.times_us[0] >= 0


def test_request_and_settings_are_used_as_they_were_when_submitted() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=1") as program:
        program.submit_prompt("send", 1, "first")
        wait_until(lambda: gate.now == 1)
        program.run("handle-param temperature=0.5", "handle-header X-A=before")
        assert program.submit("send", 2, "message user=second", "param max_tokens=1").status == "OK"
        # The request of the program is still the one that was submitted.
        program.run("param max_tokens=2", "request-route other", "message user=more")
        program.run("handle-param temperature=0.9", "handle-header X-A=after", "handle-option timeout_ms=1")
        gate.release(2)
        assert [text_of(one.done) for one in program.rest()] == ["first", "second"]
        sent = gateway.requests[-1]
    body = sent.json()
    assert (body["temperature"], body["max_tokens"], len(body["messages"])) == (0.5, 1, 1)
    assert {name.lower(): value for name, value in sent.headers.items()}["x-a"] == "before" and sent.path == "/endpoints/r/invocations"


# Cancellation.


def waiting(program: QueueProgram, gate: Gate) -> None:
    """A request in flight, and the request that waits."""
    program.set_option("max_in_flight", 1)
    program.submit_prompt("send", 1, "hi")
    wait_until(lambda: gate.now == 1)
    assert program.submit("send", 7, "message user=hi", "request-token").status == "OK"


def running(program: QueueProgram, gate: Gate) -> None:
    assert program.submit("send", 7, "message user=hi", "request-token").status == "OK"
    wait_until(lambda: gate.now == 1)


CANCELS: dict[str, Callable[[QueueProgram], object]] = {
    "queue_cancel": lambda program: program.cancel(7),
    "token of the request": lambda program: program.run("cancel"),
}


@pytest.mark.parametrize("state", [waiting, running], ids=["waiting", "running"])
@pytest.mark.parametrize("cancel", CANCELS.values(), ids=CANCELS.keys())
def test_cancelled_request_has_one_end(
    state: Callable[[QueueProgram, Gate], None], cancel: Callable[[QueueProgram], object]
) -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url) as program:
        state(program, gate)
        cancel(program)
        if state is waiting and cancel is CANCELS["token of the request"]:
            gate.release()  # it is in flight before it notices
        ends = {}
        while 7 not in ends:
            one = program.next()
            assert one.tag not in ends
            ends[one.tag] = one.done
        assert ends[7].status == "CANCELLED" and ends[7].response is None
        gate.release(10)
        assert all(text_of(one.done) == "hi" for one in program.rest())
        assert gate.all == 1, "a request that waited is not sent"


def test_handles_token_cancels_all_requests() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=2", settings=("token",)) as program:
        for tag in range(5):
            program.submit_prompt("send", tag, "hi")
        wait_until(lambda: gate.now == 2)
        program.run("cancel")
        ends = program.rest()
    assert sorted(one.tag for one in ends) == list(range(5)) and gate.all == 2
    assert {one.done.status for one in ends} == {"CANCELLED"}
    assert any("cancelled while waiting for the response" in one.done.message for one in ends)


def test_cancellation_of_a_tag_leaves_other_requests_alone() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=2") as program:
        for tag in (1, 2, 1, 2, 1):
            program.submit_prompt("send", tag, f"of tag {tag}")
        wait_until(lambda: gate.now == 2)
        assert program.cancel(3) == 0
        assert program.cancel(1) == 3
        assert program.cancel(1) == 0
        gate.release(10)
        ends = program.rest()
    assert sorted((one.tag, one.done.status) for one in ends) == [(1, "CANCELLED")] * 3 + [(2, "OK")] * 2
    messages = {one.done.message for one in ends if one.tag == 1}
    assert "cancelled before it was sent" in messages


def endless_events(handler: Handler, request: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    while True:
        handler.wfile.write(events(chunk("word")).encode())
        handler.wfile.flush()
        time.sleep(0.001)


@pytest.mark.parametrize("how", ["running", "blocked"])
def test_only_the_end_of_a_cancelled_stream_follows(how: str) -> None:
    with serving(endless_events) as gateway, queue_program(gateway.url, "max_events=5") as program:
        program.submit_prompt("stream", 7, "hi")
        assert program.next().event.text == "word"
        if how == "blocked":
            program.wait_for(lambda counts: counts.unfetched == 5)
            time.sleep(0.05)
        assert program.cancel(7) == 1
        (end,) = program.rest()
        assert end.done.status == "CANCELLED" and end.done.response.texts[0].startswith("word")


def test_only_the_end_follows_if_a_stream_that_has_ended_is_cancelled() -> None:
    with streaming(STREAM) as gateway, queue_program(gateway.url) as program:
        program.submit_prompt("stream", 7, "hi")
        program.submit_prompt("stream", 8, "hi")
        program.wait_for(lambda counts: counts.in_flight == 0)
        assert program.cancel(7) == 0, "both are complete"
        *of_events, end = [one for one in program.rest() if one.tag == 7]
        assert of_events == [] and end.done.status == "OK"


def test_request_that_pauses_before_a_retry_is_cancelled() -> None:
    settings = ("handle-option max_retries=5",)

    def busy(handler: Handler, request: Request) -> None:
        handler.respond(503, {"detail": "busy"}, {"Retry-After": "20"})

    with serving(busy) as gateway, queue_program(gateway.url, settings=settings) as program:
        program.submit_prompt("send", 7, "hi")
        wait_until(lambda: "POST /endpoints/r/invocations" in gateway.paths())
        time.sleep(0.1)
        assert program.cancel(7) == 1
        (end,) = program.rest()
        assert end.done.status == "CANCELLED" and "while waiting to retry" in end.done.message
        assert end.took_us < 10_000_000


def test_thread_of_a_cancelled_request_sends_others() -> None:
    gate = Gate()
    with serving(gate) as gateway, queue_program(gateway.url, "max_in_flight=1") as program:
        for tag in range(20):
            program.submit_prompt("send", tag, "hi")
            wait_until(lambda number=tag: gate.all == number + 1)
            assert program.cancel(tag) == 1
            end = program.next()
            assert (end.tag, end.done.status) == (tag, "CANCELLED")
        gate.release(30)
        program.submit_prompt("send", 99, "hi")
        assert text_of(program.next().done) == "hi"


# The log, and the end of a queue.


def test_log_lines_are_delivered_by_the_fetching_thread() -> None:
    gate = Gate(is_open=True)
    with serving(gate) as gateway, queue_program(gateway.url, settings=("log 3",)) as program:
        assert program.next(0).log == []
        for tag in range(3):
            program.submit_prompt("send", tag, "hi")
        program.wait_for(lambda counts: counts.unfetched == 3)
        lines = [line for one in program.rest() for line in one.log]
        assert sum("/endpoints/r/invocations" in line.text for line in lines) >= 3
        assert all(line.is_on_calling_thread for line in lines)


def test_log_lines_are_delivered_while_requests_run() -> None:
    """A thread that waits for completions is woken by them; the descriptor is not readable."""
    settings = ("log 3", "handle-option max_retries=1")

    def busy(handler: Handler, request: Request) -> None:
        handler.respond(503, {"detail": "busy"}, {"Retry-After": "20"})

    with serving(busy) as gateway, queue_program(gateway.url, settings=settings) as program:
        program.submit_prompt("send", 1, "hi")
        lines = []

        def log_has_the_attempt() -> bool:
            assert not program.is_readable()
            fetched = program.next(10)
            assert fetched.status == "PENDING"
            lines.extend(fetched.log)
            return any("503" in line.text for line in lines)

        wait_until(log_has_the_attempt)
        assert all(line.is_on_calling_thread for line in lines)


def test_log_lines_that_were_not_fetched_are_delivered_by_destroy() -> None:
    with serving(echo_prompt) as gateway, queue_program(gateway.url, settings=("log 3",)) as program:
        program.submit_prompt("send", 1, "hi")
        program.wait_for(lambda counts: counts.unfetched == 1)
        _, lines = program.destroy()
        assert any("/endpoints/r/invocations" in line.text for line in lines)
        assert all(line.is_on_calling_thread for line in lines)


DESTROYED: dict[str, Callable[[QueueProgram], object]] = {
    "nothing": lambda program: None,
    "send": lambda program: program.submit_prompt("send", 1, "stall"),
    "stream": lambda program: program.submit_prompt("stream", 1, "half a stream"),
    "all": lambda program: [
        program.submit_prompt(how, 1, f"{word} {number}")
        for number in range(5)
        for how, word in (("send", "stall"), ("stream", "half"), ("send", "echo"), ("stream", "echo"), ("send", "503"))
    ],
}


@pytest.mark.parametrize(
    ("name", "build"),
    [*((name, SHARED) for name in DESTROYED), *(("all", build) for build in THREADED)],
    ids=lambda value: getattr(value, "name", value),
)
@pytest.mark.parametrize("closes", [False, True], ids=["open", "closed"])
@three_attempts
def test_queue_is_destroyed_at_once_in_any_state(name: str, closes: bool, build: Build) -> None:
    settings = ("handle-option max_retries=2", "handle-option retry_backoff_ms=30000")
    with commanded_gateway() as gateway, queue_program(
        gateway.url, "max_events=1", route="chat", settings=settings, build=build
    ) as program:
        DESTROYED[name](program)
        if closes:
            program.close()
        time.sleep(0.1)
        took_us, _ = program.destroy()
        assert took_us < (2_000_000 if build is SHARED else 20_000_000)



# The objects and the descriptor.


@pytest.mark.parametrize("build", (*PLAIN, *THREADED), ids=lambda build: build.name)
def test_objects_of_a_queue_live_and_callbacks_run_as_promised(build: Build) -> None:
    with commanded_gateway() as gateway:
        done = build.run("test_queue.c", gateway.url)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("seed", "build"),
    [*((seed, SHARED) for seed in (1, 2, 3)), *((4, build) for build in THREADED)],
    ids=lambda value: getattr(value, "name", value),
)
def test_descriptor_is_readable_exactly_when_next_would_not_wait(seed: int, build: Build) -> None:
    with FastGateway().running() as url:
        done = build.run("test_queue_descriptor.c", url, str(seed), "5000" if build is SHARED else "1000")
    assert (done.returncode, done.stderr) == (0, "")
