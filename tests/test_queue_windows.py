"""A stream of a queue is read on only while few of its events exist, so memory has a limit and nothing is lost."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.event_streams import chunk, events, serving
from support.queue_program import QueueProgram, queue_program, wait_until
from support.scripted_gateway import SOCKET_BUFFER, Handler, Request, ScriptedGateway
from support.timing import three_attempts

EVENT_BYTES = 1000
EVENTS = 20_000
"""Much more than the socket buffers and the window of a stream hold."""
HELD_BACK = EVENTS // 2
"""A server that has sent fewer events is held back. The kernel enlarges the client's buffer as it reads, by its own rules."""
MAX_WINDOW_BYTES = 256 * 1024


class Source:
    """Streams numbered events, as fast as they are read, and counts them."""

    def __init__(self, count: int = EVENTS, size: int = EVENT_BYTES) -> None:
        self.sent = 0
        self._count, self._size = count, size

    def __call__(self, handler: Handler, request: Request) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for number in range(self._count):
            handler.wfile.write(events(chunk(f"{number} ".ljust(self._size, "."))).encode())
            handler.wfile.flush()
            self.sent += 1
        handler.wfile.write(events(chunk(None, finish_reason="stop")).encode())
        handler.close_connection = True

    def wait_until_blocked(self) -> int:
        """Waits until the client reads no more. Returns the number of events that it, and the system, have taken."""
        sent = -1
        while sent != self.sent:
            sent = self.sent
            time.sleep(0.3)
        return sent


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def gateway(source: Source) -> Iterator[ScriptedGateway]:
    with serving(source) as running:
        yield running


def numbers(program: QueueProgram, count: int, keep: bool = False) -> list[int]:
    """Fetches events, and returns their numbers."""
    return [int(program.next(keep=keep).event.text.split(" ")[0]) for _ in range(count)]


def resident_kib(program: QueueProgram) -> int:
    lines = Path(f"/proc/{program.process.pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Rss:")).split()[1])


def test_slow_program_stops_the_server_and_loses_nothing(source: Source, gateway: ScriptedGateway) -> None:
    """Without a limit the program would hold 20 MB. The gaps are longer than the idle timeout."""
    settings = ("handle-option idle_timeout_ms=400",)
    with queue_program(gateway.url, settings=settings) as program:
        assert program.submit("stream", 1, "message user=hi", "option gather_stream=false").status == "OK"
        assert source.wait_until_blocked() < HELD_BACK
        assert program.counts().unfetched == 64
        before = resident_kib(program)
        found = []
        for _ in range(4):
            found += numbers(program, 50)
            time.sleep(0.5)
            assert source.sent < HELD_BACK
        assert resident_kib(program) < before + 1024, "KiB"
        found += numbers(program, EVENTS - len(found))
        assert found == list(range(EVENTS))
        assert program.next().event.text == "stop"
        assert program.next().done.status == "OK"
        assert resident_kib(program) < before + 1024, "KiB"


def test_fetched_event_counts_until_it_is_destroyed(source: Source, gateway: ScriptedGateway) -> None:
    with queue_program(gateway.url, "max_events=10") as program:
        program.submit_prompt("stream", 1, "hi")
        assert numbers(program, 10, keep=True) == list(range(10))
        blocked = source.wait_until_blocked()
        assert program.next(0).status == "PENDING" and not program.is_readable()
        program.destroy_kept(1)  # on another thread
        assert program.is_readable(10_000)
        assert numbers(program, 1, keep=True) == [10]
        assert program.next(100).status == "PENDING"
        program.destroy_kept(10)
        assert numbers(program, 2000) == list(range(11, 2011))
        wait_until(lambda: source.sent > blocked)
        program.cancel(1)


def test_events_may_be_destroyed_long_after_their_queue(gateway: ScriptedGateway) -> None:
    with queue_program(gateway.url, "max_events=10") as program:
        program.submit_prompt("stream", 1, "hi")
        numbers(program, 10, keep=True)
        program.destroy()
        program.run("close")
        assert program.process.stdout.readline().startswith(b'{"descriptors"')
        program.destroy_kept(5)


def test_max_events_can_be_changed_while_a_stream_waits(source: Source, gateway: ScriptedGateway) -> None:
    with queue_program(gateway.url, "max_events=3") as program:
        program.submit_prompt("stream", 1, "hi")
        program.wait_for(lambda counts: counts.unfetched == 3)
        source.wait_until_blocked()
        program.set_option("max_events", 20)
        program.wait_for(lambda counts: counts.unfetched == 20)
        program.set_option("max_events", 1)
        assert numbers(program, 100) == list(range(100))
        source.wait_until_blocked()
        assert program.counts().unfetched == 1
        program.cancel(1)


def test_large_events_have_a_limit_of_256_kib() -> None:
    size = 100_000
    source = Source(count=100, size=size)
    with serving(source) as gateway, queue_program(gateway.url) as program:
        program.submit_prompt("stream", 1, "hi")
        source.wait_until_blocked()
        # An event has its text and its raw data.
        assert program.counts().unfetched == MAX_WINDOW_BYTES // (2 * size) + 1
        assert numbers(program, 100) == list(range(100))
        assert [one.done is not None for one in program.rest()] == [False, True]


def test_event_larger_than_the_limit_is_passed_on() -> None:
    source = Source(count=3, size=1_000_000)
    with serving(source) as gateway, queue_program(gateway.url) as program:
        program.submit_prompt("stream", 1, "hi")
        program.wait_for(lambda counts: counts.unfetched == 1)
        assert numbers(program, 3) == [0, 1, 2]
        assert program.rest()[-1].done.status == "OK"


@three_attempts
def test_idle_timeout_runs_while_the_library_reads() -> None:
    """Also after a gap in which it did not run."""

    def stop_in_the_middle(handler: Handler, request: Request) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        handler.wfile.write(events(*(chunk(f"{number} ") for number in range(5))).encode())
        handler.stall()

    settings = ("handle-option idle_timeout_ms=300",)
    with serving(stop_in_the_middle) as gateway, queue_program(gateway.url, "max_events=2", settings=settings) as program:
        program.submit_prompt("stream", 1, "hi")
        program.wait_for(lambda counts: counts.unfetched == 2)
        time.sleep(0.7)
        assert numbers(program, 5) == list(range(5))
        (end,) = program.rest()
        assert end.done.status == "TIMEOUT" and "idle_timeout_ms" in end.done.message
        assert end.took_us > 200_000 and end.done.response.texts == ["0 1 2 3 4 "]


def test_windows_of_streams_are_separate(gateway: ScriptedGateway) -> None:
    with queue_program(gateway.url, "max_events=4", "max_in_flight=20") as program:
        for tag in range(20):
            program.submit_prompt("stream", tag, "hi")
        program.wait_for(lambda counts: counts.unfetched == 80)
        found: dict[int, list[int]] = {tag: [] for tag in range(20)}
        for _ in range(400):
            one = program.next()
            found[one.tag].append(int(one.event.text.split(" ")[0]))
        assert all(of_one == list(range(len(of_one))) and len(of_one) >= 4 for of_one in found.values())


@three_attempts
def test_stream_timeout_includes_the_time_of_a_slow_program(source: Source, gateway: ScriptedGateway) -> None:
    """The whole stream has a deadline, whoever is slow."""
    settings = ("handle-option stream_timeout_ms=700",)
    with queue_program(gateway.url, "max_events=2", settings=settings) as program:
        program.submit_prompt("stream", 1, "hi")
        time.sleep(1)
        wait_until(lambda: program.counts().in_flight == 0)
        fetched = program.rest()
        end = fetched[-1].done
        assert end.status == "TIMEOUT" and "stream_timeout_ms" in end.message
        assert len(fetched) == 3, "what the library had received already is not passed on"
