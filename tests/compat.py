#!/usr/bin/env python3
"""Asks the real servers of many MLflows the same with one C program, and makes README.md's table of what works.

    python3 tests/compat.py [--write]

prints the table, or with --write puts it into README.md, between the lines `<!-- compat -->` and `<!-- /compat -->`.
"""

import argparse
import functools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from builds import ROOT, SHARED, Build
from gateways import mlflow_server, tracking_server
from gateways.processes import Server
from gateways.scripted_answers import embedding
from gateways.scripted_upstream import ScriptedUpstream
from gateways.together import started
from gateways.tracking_server import Endpoint

README = ROOT / "README.md"
MARKS = ("<!-- compat -->", "<!-- /compat -->")
PLACE = re.compile(f"{MARKS[0]}\\n(.*?){MARKS[1]}", re.DOTALL)
AT_ONCE = 4
ROUTES = ("completions", "chat", "embeddings")


class Kind(NamedTuple):
    """A server: its MLflow, and the command that starts it."""

    version: str
    command: str


YAML = "mlflow gateway start"
TRACKING = Kind(tracking_server.VERSION, "mlflow server")
KINDS = (
    *(Kind(version, YAML) for version in ("2.5.0", "2.8.1", "2.9.2", "2.10.2", "2.22.5", "3.0.1", "3.17.2")),
    TRACKING,
)
WITHOUT_STREAMS = ("2.5.0", "2.8.1", "2.9.2")

OPERATIONS = {
    "prompt": "prompt",
    "prompt to chat": "prompt to a chat route",
    "messages": "messages",
    "stream": "stream of a chat",
    "stream of completions": "stream of completions",
    "embeddings": "vectors",
    "list": "list of routes",
    "health": "health",
}
"""What tests/c/compat.c does, and how the table calls it."""

ECHO = "echo: one two three"
RIGHT_ANSWERS = {
    "prompt": [ECHO],
    "prompt to chat": [ECHO],
    "messages": [ECHO, f"{ECHO} #1"],
    "stream": ["echo:", " one", " two", " three"],
    "stream of completions": ["echo:", " one", " two", " three"],
    "embeddings": [" ".join(f"{number:.9g}" for number in embedding(text)) for text in "ab"],
    "list": [f"{name} llm/v1/{name} openai smollm2" for name in ROUTES],
    "health": [],
}
SUCCESSES = ("OK", "STREAM_END")


class Seen(NamedTuple):
    """What an operation came to."""

    status: str
    http_status: int
    message: str
    answer: list[str]


def measure(kinds: Sequence[Kind] = KINDS, build: Build = SHARED) -> dict[Kind, dict[str, Seen]]:
    """What each server's operations came to."""
    seen = {}
    with ScriptedUpstream("chat") as upstream:
        for first in range(0, len(kinds), AT_ONCE):
            starts = {kind: functools.partial(start, kind, upstream.url) for kind in kinds[first : first + AT_ONCE]}
            with started(starts) as servers:
                seen.update({kind: ask(server.url, build) for kind, server in servers.items()})
    return seen


def start(kind: Kind, upstream_url: str) -> Server:
    """Starts a server with the routes that tests/c/compat.c asks."""
    if kind == TRACKING:
        return tracking_server.start([Endpoint(name, upstream_url) for name in ROUTES])
    return mlflow_server.start(kind.version, upstream_url, upstream_url)


def ask(url: str, build: Build = SHARED) -> dict[str, Seen]:
    """Runs the program, which is the same for all."""
    done = build.run("compat.c", url)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        line["operation"]: Seen(
            line["status"].removeprefix("MLFLOW_GATEWAY_"), line["http_status"], line["message"], line["answer"]
        )
        for line in lines
    }


def works(kind: Kind, operation: str, seen: Seen) -> bool:
    """Whether the operation succeeded and its answer is the right one."""
    answer, right = seen.answer, right_answer(kind, operation)
    if operation == "list":  # the tracking server tells them in any order
        answer, right = sorted(answer), sorted(right)
    return seen.status in SUCCESSES and answer == right


def right_answer(kind: Kind, operation: str) -> list[str]:
    """What the scripted upstream makes each server answer."""
    if (kind, operation) == (TRACKING, "list"):
        return [f"{name} - openai smollm2" for name in ROUTES]
    return RIGHT_ANSWERS[operation]


def note(kind: Kind, operation: str, seen: Seen) -> Optional[str]:
    """What there is to say about a cell: why it is right that it does not work, or how it works."""
    if operation.startswith("stream") and kind.version in WITHOUT_STREAMS and seen.status == "UNSUPPORTED":
        return "MLflow streams from 2.10 on; the status says so, and the message what to do."
    if kind == TRACKING and works(kind, operation, seen):
        if operation in ("prompt", "stream of completions"):
            return "This server has no completions: the prompt goes as one message of the user."
        if operation == "list":
            return "Without types: each endpoint of this server does both chat and vectors."
    return None


def unexplained(kind: Kind, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """What neither works nor is known to be right."""
    return {
        operation: one
        for operation, one in seen.items()
        if not works(kind, operation, one) and (one.status in SUCCESSES or note(kind, operation, one) is None)
    }


def table(seen: Mapping[Kind, Mapping[str, Seen]]) -> str:
    """The table in Markdown, with its notes below."""
    notes: list[str] = []
    lines = [
        f"| MLflow | started with | {' | '.join(OPERATIONS.values())} |",
        f"|---|---|{'---|' * len(OPERATIONS)}",
    ]
    for kind, outcomes in seen.items():
        cells = [_cell(kind, operation, outcomes[operation], notes) for operation in OPERATIONS]
        lines.append(f"| {kind.version} | `{kind.command}` | {' | '.join(cells)} |")
    if notes:
        lines += ["", *(f"{number}. {text}" for number, text in enumerate(notes, 1))]
    return "\n".join(lines) + "\n"


def _cell(kind: Kind, operation: str, seen: Seen, notes: list[str]) -> str:
    text = seen.status
    if seen.status in SUCCESSES:
        text = "works" if works(kind, operation, seen) else "wrong answer"
    said = note(kind, operation, seen)
    if said is None:
        return text
    if said not in notes:
        notes.append(said)
    return f"{text} <sup>{notes.index(said) + 1}</sup>"


def table_of(readme: str) -> Optional[str]:
    """The table that a README has; None where it has no place for one."""
    found = PLACE.search(readme)
    return found[1].strip() + "\n" if found else None


def with_table(readme: str, new: str) -> str:
    """A README with another table."""
    return PLACE.sub(lambda _: f"{MARKS[0]}\n\n{new}\n{MARKS[1]}", readme)


def main() -> int:
    """Prints or writes the table; fails where something in it is not as it should be."""
    parser = argparse.ArgumentParser(description="Make README.md's table of what works with which MLflow.")
    parser.add_argument("--write", action="store_true", help="write it into README.md")
    is_to_write = parser.parse_args().write
    seen = measure()
    new = table(seen)
    wrong = {kind: unexplained(kind, outcomes) for kind, outcomes in seen.items()}
    for kind, outcomes in wrong.items():
        for operation, one in outcomes.items():
            print(f"{kind.version}, {kind.command}: {operation}: {one}", file=sys.stderr)
    readme = README.read_text()
    if is_to_write and table_of(readme) is not None:
        README.write_text(with_table(readme, new))
    else:
        if is_to_write:
            print(f"README.md has no lines {' and '.join(MARKS)}: here is the table", file=sys.stderr)
        print(new, end="")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
