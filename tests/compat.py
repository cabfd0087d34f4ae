#!/usr/bin/env python3
"""Asks real servers of many versions of MLflow the same with one C program, and makes README.md's tables of what works.

    python3 tests/compat.py [--write]

prints the tables, or with --write puts them into README.md, between the lines `<!-- compat -->` and `<!-- /compat -->`.
"""

import argparse
import functools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from builds import ROOT, SHARED, Build
from gateways import language_model, mlflow_server, tracking_server
from gateways.mlflow_server import CHAT, Route, Split
from gateways.processes import Server
from gateways.scripted_answers import CITIES, embedding
from gateways.scripted_upstream import THOUGHT, ScriptedUpstream
from gateways.together import started
from gateways.tracking_server import Endpoint
from recording_relay import recorded

README = ROOT / "README.md"
MARKS = ("<!-- compat -->", "<!-- /compat -->")
PLACE = re.compile(f"{MARKS[0]}\\n(.*?){MARKS[1]}", re.DOTALL)
AT_ONCE = 4
ROUTES = ("completions", "chat", "embeddings")
PROVIDERS = ("anthropic", "gemini")
"""Endpoints of a tracking server beside these, each of the provider of its name."""


class Kind(NamedTuple):
    """A server: its MLflow, the command that starts it, and the path of the gateway URI."""

    version: str
    command: str
    path: str = ""


YAML, TRACKING, LLAMA_CPP = "mlflow gateway start", "mlflow server", "llama-server"
V1 = "/v1"
OPENAI_V1 = "/gateway/openai/v1"
YAML_VERSIONS = ("2.5.0", "2.8.1", "2.9.2", "2.10.2", "2.22.5", "3.0.1", "3.17.2", "3.18.0")
WITHOUT_STREAMS = ("2.5.0", "2.8.1", "2.9.2")
WITHOUT_V1 = (*WITHOUT_STREAMS, "2.10.2")
WITHOUT_STREAMED_TOOL_CALLS = ("2.10.2", "2.22.5", "3.0.1")
WITH_SPLITS = ("3.17.2", "3.18.0")
SECOND_CHAT = "second-chat"
DIRECTLY = Kind("-", LLAMA_CPP, V1)
KINDS = (
    *(Kind(version, YAML) for version in YAML_VERSIONS),
    *(Kind(version, YAML, V1) for version in YAML_VERSIONS if version not in WITHOUT_V1),
    *(Kind(version, TRACKING) for version in tracking_server.VERSIONS),
    *(Kind(version, TRACKING, OPENAI_V1) for version in tracking_server.VERSIONS),
    DIRECTLY,
)
OPTIONS = {DIRECTLY: ("dialect=openai",)}

CALLS = {
    "prompt": "prompt",
    "prompt to chat": "prompt to a chat route",
    "messages": "messages",
    "stream": "stream of a chat",
    "stream of completions": "stream of completions",
    "embeddings": "embeddings",
    "split": "route with a traffic split",
    "list": "list of routes",
    "health": "health",
}
FEATURES = {
    "reasoning": "reasoning in a stream",
    "tool calls": "tool calls in a stream",
    "responses": "raw Responses",
    "anthropic": "raw Anthropic messages",
    "gemini": "raw Gemini",
}
OPERATIONS = {**CALLS, **FEATURES}
"""What tests/c/compat.c does, and what the first table and the second one call it."""

ASK_NO_MODEL = ("list", "health")
TO_COMPLETIONS = ("prompt", "stream of completions")
STREAMS = ("stream", "stream of completions", "reasoning", "tool calls")
RAW = ("responses", "anthropic", "gemini")

ECHO = "echo: one two three"
RIGHT_ANSWERS = {
    "prompt": [ECHO],
    "prompt to chat": [ECHO],
    "messages": [ECHO, f"{ECHO} #1"],
    "stream": ["echo:", " one", " two", " three"],
    "stream of completions": ["echo:", " one", " two", " three"],
    "embeddings": [" ".join(f"{number:.9g}" for number in embedding(text)) for text in "ab"],
    "split": [ECHO],
    "list": [f"{name} llm/v1/{name} openai smollm2" for name in ROUTES],
    "health": [],
    "reasoning": [f"reasoning: {THOUGHT}", "echo:", " !reason", " 30"],
    "tool calls": [f'get_temperature {{"city":"{city}"}}' for city in CITIES],
    "responses": [ECHO],
    "anthropic": [ECHO],
    "gemini": [ECHO],
}
SUCCESSES = ("OK", "STREAM_END")
DROPPED = {
    "reasoning": (
        "MLflow drops `reasoning_content`. Only the passthrough routes of `mlflow server`, such as those below "
        "`/gateway/openai/v1`, keep it."
    ),
    "tool calls": "MLflow 2.10 to 3.5 drop tool calls from streams.",
}
"""What MLflow leaves out of its responses."""


class Seen(NamedTuple):
    """What an operation came to: how often something was posted to the server, and how often its model was asked."""

    status: str
    http_status: int
    message: str
    answer: list[str]
    posted: int
    asked: int


def measure(kinds: Sequence[Kind] = KINDS, build: Build = SHARED) -> dict[Kind, dict[str, Seen]]:
    """What each server's operations came to."""
    servers = list(dict.fromkeys((kind.version, kind.command) for kind in kinds))
    seen = {}
    with ScriptedUpstream("chat") as upstream:
        for first in range(0, len(servers), AT_ONCE):
            starts = {each: functools.partial(start, *each, upstream.url) for each in servers[first : first + AT_ONCE]}
            with started(starts) as running:
                for kind in kinds:
                    if server := running.get((kind.version, kind.command)):
                        seen[kind] = ask(kind, server.url, upstream, build)
    return {kind: seen[kind] for kind in kinds}


def start(version: str, command: str, upstream_url: str) -> Server:
    """Starts a server with the routes that tests/c/compat.c asks."""
    if command == LLAMA_CPP:
        return language_model.start()
    if command == TRACKING:
        endpoints = [Endpoint(name, upstream_url) for name in ROUTES]
        endpoints += [Endpoint(name, upstream_url, provider=name) for name in PROVIDERS]
        return tracking_server.start(endpoints, version=version)
    if version not in WITH_SPLITS:
        return mlflow_server.start(version, upstream_url, upstream_url)
    more, split = Route(SECOND_CHAT, CHAT, upstream_url), Split("split", ("chat", SECOND_CHAT))
    return mlflow_server.start(version, upstream_url, upstream_url, [more], [split])


def ask(kind: Kind, url: str, upstream: ScriptedUpstream, build: Build = SHARED) -> dict[str, Seen]:
    """Runs the program, which is the same for all, once for each operation."""
    seen = {}
    for operation in OPERATIONS:
        upstream.forget_requests()
        with recorded(url) as relay:
            done = build.run("compat.c", relay.url + kind.path, operation, *OPTIONS.get(kind, ()))
            posted = relay.posted()
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        line = json.loads(done.stdout)
        status = line["status"].removeprefix("MLFLOW_GATEWAY_")
        asked = len(posted) if kind == DIRECTLY else len(upstream.requests())
        seen[operation] = Seen(status, line["http_status"], line["message"], line["output"], len(posted), asked)
    return seen


def works(kind: Kind, operation: str, seen: Seen) -> bool:
    """Whether the operation succeeded, its answer is the right one, and nothing was sent twice."""
    if seen.status not in SUCCESSES or seen.asked != right_count(operation):
        return False
    if seen.posted != (2 if is_refused_first(kind, operation) else seen.asked):
        return False
    if kind == DIRECTLY and operation not in ASK_NO_MODEL:  # its words are its own
        return "".join(seen.answer).strip() != ""
    answer, right = seen.answer, right_answer(kind, operation)
    if operation == "list":  # the tracking server tells them in any order
        answer, right = sorted(answer), sorted(right)
    return answer == right


def right_count(operation: str) -> int:
    """How often a model is asked."""
    return 0 if operation in ASK_NO_MODEL else 1


def is_refused_first(kind: Kind, operation: str) -> bool:
    """Whether a prompt is posted to a path that refuses it without asking the model."""
    return (kind.command, kind.path) == (YAML, V1) and operation in TO_COMPLETIONS


def right_answer(kind: Kind, operation: str) -> list[str]:
    """What the scripted upstream makes each server answer."""
    if drops(kind, operation):
        return RIGHT_ANSWERS[operation][1:] if operation == "reasoning" else []
    if operation == "list" and kind.command == TRACKING:
        return [f"{name} - {name if name in PROVIDERS else 'openai'} smollm2" for name in (*ROUTES, *PROVIDERS)]
    if operation == "list" and kind == DIRECTLY:
        return ["smollm2 - - -"]
    if operation == "list" and kind.version in WITH_SPLITS:
        return [*RIGHT_ANSWERS[operation], f"{SECOND_CHAT} {CHAT} openai smollm2"]
    return RIGHT_ANSWERS[operation]


def drops(kind: Kind, operation: str) -> bool:
    """Whether MLflow leaves out of its response what the operation is about."""
    if operation == "reasoning":
        return kind.path != OPENAI_V1
    return operation == "tool calls" and kind.version in WITHOUT_STREAMED_TOOL_CALLS


def has_no_list(kind: Kind) -> bool:
    """Whether the server has no list of models below the path of the gateway URI."""
    return kind.path != "" and kind != DIRECTLY


def is_missing(kind: Kind, operation: str) -> bool:
    """Whether this server, or its model, cannot have what the operation is about."""
    if operation == "split":
        return not (kind.command == YAML and kind.version in WITH_SPLITS)
    if kind == DIRECTLY:
        return operation in ("reasoning", "tool calls", "gemini")
    if kind.path == OPENAI_V1:
        return operation in ("anthropic", "gemini")
    return operation in RAW and kind.command == YAML


def note(kind: Kind, operation: str, seen: Seen) -> Optional[str]:
    """What there is to say about a cell: why it is right that it does not work, or how it works."""
    if operation in STREAMS and kind.version in WITHOUT_STREAMS and seen.status == "UNSUPPORTED":
        return "MLflow supports streaming from 2.10 on. The error message names the alternative."
    if operation in ASK_NO_MODEL and has_no_list(kind) and seen.status == "UNSUPPORTED":
        return "This server has no list of models below this path. To list its routes, use a gateway URI without the path."
    if operation == "embeddings" and kind == DIRECTLY and seen.status not in SUCCESSES:
        return "This model does not support embeddings."
    if works(kind, operation, seen):
        if drops(kind, operation):
            return DROPPED[operation]
        if is_refused_first(kind, operation):
            return (
                "The prompt is posted to `/chat/completions` first, which rejects it for this route without running "
                "the model. Set the option `task` to avoid this."
            )
        if kind.command == TRACKING and operation in TO_COMPLETIONS:
            return "This server has no completions. The prompt is sent as one user message."
        if kind == DIRECTLY and operation in TO_COMPLETIONS:
            return "A prompt is sent as one user message unless the option `task` is `completions`."
        if kind.command == TRACKING and operation == "list":
            return "Without types: each endpoint of this server serves both chat and embeddings."
    return None


def unexplained(kind: Kind, seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """What neither works nor is known to be right."""
    return {
        operation: one
        for operation, one in seen.items()
        if not is_missing(kind, operation)
        and not works(kind, operation, one)
        and (one.status in SUCCESSES or note(kind, operation, one) is None)
    }


def table(seen: Mapping[Kind, Mapping[str, Seen]]) -> str:
    """Both tables in Markdown, with their notes below."""
    notes: list[str] = []
    lines = []
    for operations in (CALLS, FEATURES):
        lines.append(f"| MLflow | started with | path of the gateway URI | {' | '.join(operations.values())} |")
        lines.append(f"|---|---|---|{'---|' * len(operations)}")
        for kind, outcomes in seen.items():
            cells = [_cell(kind, operation, outcomes[operation], notes) for operation in operations]
            path = f"`{kind.path}`" if kind.path else "-"
            lines.append(f"| {kind.version} | `{kind.command}` | {path} | {' | '.join(cells)} |")
        lines.append("")
    lines += [f"{number}. {text}" for number, text in enumerate(notes, 1)]
    return "\n".join(lines).rstrip() + "\n"


def _cell(kind: Kind, operation: str, seen: Seen, notes: list[str]) -> str:
    if is_missing(kind, operation):
        return "-"
    text = seen.status
    if seen.status in SUCCESSES:
        text = "wrong answer"
        if works(kind, operation, seen):
            text = "dropped" if drops(kind, operation) else "works"
    said = note(kind, operation, seen)
    if said is None:
        return text
    if said not in notes:
        notes.append(said)
    return f"{text} <sup>{notes.index(said) + 1}</sup>"


def table_of(readme: str) -> Optional[str]:
    """The tables that a README has; None where it has no place for one."""
    found = PLACE.search(readme)
    return found[1].strip() + "\n" if found else None


def with_table(readme: str, new: str) -> str:
    """A README with other tables."""
    return PLACE.sub(lambda _: f"{MARKS[0]}\n\n{new}\n{MARKS[1]}", readme)


def main() -> int:
    """Prints or writes the tables; fails where something in them is not as it should be."""
    parser = argparse.ArgumentParser(description="Make README.md's tables of what works with which MLflow.")
    parser.add_argument("--write", action="store_true", help="write them into README.md")
    is_to_write = parser.parse_args().write
    seen = measure()
    new = table(seen)
    wrong = {kind: unexplained(kind, outcomes) for kind, outcomes in seen.items()}
    for kind, outcomes in wrong.items():
        for operation, one in outcomes.items():
            print(f"{kind.version}, {kind.command} {kind.path}: {operation}: {one}", file=sys.stderr)
    readme = README.read_text()
    if is_to_write and table_of(readme) is not None:
        README.write_text(with_table(readme, new))
    else:
        if is_to_write:
            print(f"README.md has no lines {' and '.join(MARKS)}: here are the tables", file=sys.stderr)
        print(new, end="")
    return 1 if any(wrong.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
