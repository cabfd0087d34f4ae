"""A program with a queue, tests/c/operations.c, which a test controls step by step."""

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Optional

from support.builds import MAX_SECONDS, SHARED, Build
from support.operations import Event, LogLine, Outcome, to_event, to_outcome

FOREVER = -1
MAX_WAIT = 30
"""Seconds."""


class Counts(NamedTuple):
    """The counts of a queue."""

    waiting: int
    in_flight: int
    unfetched: int
    limit: int


class Fetched(NamedTuple):
    """The result of fetching. `event` or `done` is set if `status` is "OK"."""

    status: str
    message: str
    took_us: int
    log: list[LogLine]
    tag: Optional[int]
    event: Optional[Event]
    done: Optional[Outcome]


class Submitted(NamedTuple):
    """The result of submitting a request."""

    status: str
    message: str


class QueueProgram:
    """A running program. Its functions are the commands of tests/c/queue_commands.h."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def run(self, *commands: str) -> None:
        """Runs commands that print nothing."""
        self.process.stdin.write("".join(f"{command}\n" for command in commands).encode())
        self.process.stdin.flush()

    def submit(self, how: str, tag: int, *request: str) -> Submitted:
        """Submits a new request that these commands make."""
        self.run("again", *request)
        return Submitted(**self._ask(f"submit {how} {tag}"))

    def submit_prompt(self, how: str, tag: int, prompt: str) -> None:
        assert self.submit(how, tag, f"message user={prompt}") == ("OK", "")

    def set_option(self, name: str, value: object) -> Submitted:
        return Submitted(**self._ask(f"queue-option {name}={value}"))

    def next(self, timeout_ms: int = FOREVER, keep: bool = False) -> Fetched:
        line = self._ask(f"next {timeout_ms}{' keep' if keep else ''}")
        event = line.get("event")
        return Fetched(
            line["status"],
            line["message"],
            line["took_us"],
            [LogLine(*entry) for entry in line["log"]],
            line.get("tag"),
            None if event is None else to_event(event),
            to_outcome(line["done"]) if "done" in line else None,
        )

    def destroy_kept(self, count: int) -> None:
        self._ask(f"destroy-kept {count}")

    def cancel(self, tag: int) -> int:
        return self._ask(f"queue-cancel {tag}")["count"]

    def counts(self) -> Counts:
        return Counts(*self._ask("queue-count")["counts"])

    def is_readable(self, timeout_ms: int = 0) -> bool:
        """Waits until the descriptor is readable."""
        return self._ask(f"queue-poll {timeout_ms}")["is_readable"]

    def close(self) -> None:
        self._ask("queue-close")

    def destroy(self) -> tuple[int, list[LogLine]]:
        """Destroys the queue. Returns the microseconds that it took, and the log lines."""
        line = self._ask("queue-destroy")
        return line["took_us"], [LogLine(*entry) for entry in line["log"]]

    def rest(self) -> list[Fetched]:
        """Closes the queue, and fetches everything up to its end."""
        self.close()
        fetched = []
        while (one := self.next()).status == "OK":
            fetched.append(one)
        assert one.status == "QUEUE_END", one
        return fetched

    def wait_for(self, condition: Callable[[Counts], bool]) -> Counts:
        """Waits until the counts fulfil the condition."""
        wait_until(lambda: condition(self.counts()))
        return self.counts()

    def _ask(self, command: str) -> dict:
        self.run(command)
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read().decode()
        return json.loads(line)


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + MAX_WAIT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@contextlib.contextmanager
def queue_program(
    uri: str,
    *options: str,
    route: str = "r",
    settings: tuple[str, ...] = (),
    build: Build = SHARED,
    env: Optional[dict[str, str]] = None,
    seconds: int = MAX_SECONDS,
) -> Iterator[QueueProgram]:
    """A program with a handle, whose settings are commands of tests/c/operations.c, and a queue with these options."""
    with build.start("operations.c", stdin=subprocess.PIPE, environment=env, seconds=seconds) as process:
        program = QueueProgram(process)
        program.run(f"route {route}", f"uri {uri}", *settings, f"queue {' '.join(options)}")
        yield program
        process.stdin.close()
        errors = process.stderr.read().decode()
        assert (process.wait(), errors) == (0, "")
