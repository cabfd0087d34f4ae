"""Runs mlflow_gateway_call() through the C program tests/c/calls.c, and parses the outcomes."""

from typing import NamedTuple, Optional

from support.builds import SHARED, Build
from support.operations import shortened


class Outcome(NamedTuple):
    """The outcome of a call; `text` is the completion or the error message."""

    status: str
    http_status: int
    gateway_code: str
    retry_after_ms: int
    attempts: int
    body_len: int
    text_len: int
    text: str

    def __str__(self) -> str:
        """All fields: tests search it for secrets."""
        return f"Outcome({', '.join(f'{name}={value!r}' for name, value in zip(self._fields, self))})"

    def __repr__(self) -> str:
        """A summary for the report of a failed test."""
        reported = f"HTTP status {self.http_status}, code {self.gateway_code}, {self.attempts} attempts"
        return f"<{self.status}: {shortened(self.text, 400)} ({reported})>"


def call(
    uri: str,
    prompt: str,
    *settings: str,
    route: str = "r",
    build: Build = SHARED,
    environment: Optional[dict[str, str]] = None,
) -> Outcome:
    """Makes one call. Settings are as in tests/c/calls.c, for example "option:timeout_ms=100".

    The URI "-" stands for NULL.
    """
    return call_all([(uri, route, prompt, *settings)], build, environment)[0]


def set_options(*settings: str, build: Build = SHARED) -> str:
    """Sets options on a handle; returns the error message of the last one, or ""."""
    fields = ["https://127.0.0.1:1", "r", "hi", *(f"option:{setting}" for setting in settings)]
    done = build.run("calls.c", input="\t".join(fields) + "\n")
    return done.stderr if done.returncode else ""


def call_all(
    calls: list[tuple[str, ...]], build: Build = SHARED, environment: Optional[dict[str, str]] = None
) -> list[Outcome]:
    """Makes calls in sequence in one process; each is (uri, route, prompt, setting...)."""
    lines = "".join("\t".join(fields) + "\n" for fields in calls)
    done = build.run("calls.c", input=lines, environment=environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "the library prints nothing"
    outcomes = []
    for line in done.stdout.splitlines():
        status, http_status, code, retry_after, attempts, body_len, text_len, text = line.split("\t")
        status = status.removeprefix("MLFLOW_GATEWAY_")
        outcomes.append(
            Outcome(
                status, int(http_status), code, int(retry_after), int(attempts), int(body_len), int(text_len), text
            )
        )
    assert len(outcomes) == len(calls)
    return outcomes
