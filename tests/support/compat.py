#!/usr/bin/env python3
"""Runs one C program against real servers of many MLflow versions, and makes README.md's tables of what works.

    python3 tests/support/compat.py [--write]

prints the tables, or with --write puts them into README.md, between the lines `<!-- compat -->` and `<!-- /compat -->`.
"""

import argparse
import functools
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

if not __package__:  # run as a program
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gateways import language_model, mlflow_server, tracking_server  # noqa: E402
from gateways.mlflow_server import CHAT, Route, Split  # noqa: E402
from gateways.processes import Server  # noqa: E402
from gateways.scripted_responses import CITIES, embedding  # noqa: E402
from gateways.scripted_upstream import THOUGHT, ScriptedUpstream  # noqa: E402
from gateways.together import started  # noqa: E402
from gateways.tracking_server import Endpoint  # noqa: E402

from support.builds import ROOT, SHARED, Build  # noqa: E402
from support.recording_relay import recorded  # noqa: E402

README = ROOT / "README.md"
MARKS = ("<!-- compat -->", "<!-- /compat -->")
TABLES = re.compile(f"{MARKS[0]}\\n(.*?){MARKS[1]}", re.DOTALL)
AT_ONCE = 4
ROUTES = ("completions", "chat", "embeddings")
PROVIDERS = ("anthropic", "gemini")
"""Further endpoints of a tracking server, each named after its provider."""


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
WITHOUT_GATEWAY = Kind("-", LLAMA_CPP, V1)
KINDS = (
    *(Kind(version, YAML) for version in YAML_VERSIONS),
    *(Kind(version, YAML, V1) for version in YAML_VERSIONS if version not in WITHOUT_V1),
    *(Kind(version, TRACKING) for version in tracking_server.VERSIONS),
    *(Kind(version, TRACKING, OPENAI_V1) for version in tracking_server.VERSIONS),
    WITHOUT_GATEWAY,
)
OPTIONS = {WITHOUT_GATEWAY: ("dialect=openai",)}

BASIC_OPERATIONS = {
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
OPERATIONS = {**BASIC_OPERATIONS, **FEATURES}
"""The operations of tests/c/compat.c, and their titles in the two tables."""

WITHOUT_MODEL = ("list", "health")
TO_COMPLETIONS = ("prompt", "stream of completions")
STREAMS = ("stream", "stream of completions", "reasoning", "tool calls")
RAW_REQUESTS = ("responses", "anthropic", "gemini")

ECHO = "echo: one two three"
EXPECTED = {
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
"""Notes on what MLflow drops from its responses."""


class Result(NamedTuple):
    """The result of an operation, with the number of POST requests to the server and of requests to its model."""

    status: str
    http_status: int
    message: str
    response: list[str]
    posts: int
    model_requests: int


def measure(kinds: Sequence[Kind] = KINDS, build: Build = SHARED) -> dict[Kind, dict[str, Result]]:
    """Returns the results of the operations of each server."""
    servers = list(dict.fromkeys((kind.version, kind.command) for kind in kinds))
    results = {}
    with ScriptedUpstream("chat") as upstream:
        for first in range(0, len(servers), AT_ONCE):
            starts = {each: functools.partial(start, *each, upstream.url) for each in servers[first : first + AT_ONCE]}
            with started(starts) as running:
                for kind in kinds:
                    if server := running.get((kind.version, kind.command)):
                        results[kind] = run_operations(kind, server.url, upstream, build)
    return {kind: results[kind] for kind in kinds}


def start(version: str, command: str, upstream_url: str) -> Server:
    """Starts a server with the routes that tests/c/compat.c calls."""
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


def run_operations(kind: Kind, url: str, upstream: ScriptedUpstream, build: Build = SHARED) -> dict[str, Result]:
    """Runs the program once for each operation."""
    results = {}
    for operation in OPERATIONS:
        upstream.forget_requests()
        with recorded(url) as relay:
            done = build.run("compat.c", relay.url + kind.path, operation, *OPTIONS.get(kind, ()))
            posts = relay.posts()
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        line = json.loads(done.stdout)
        status = line["status"].removeprefix("MLFLOW_GATEWAY_")
        model_requests = len(posts) if kind == WITHOUT_GATEWAY else len(upstream.requests())
        results[operation] = Result(
            status, line["http_status"], line["message"], line["output"], len(posts), model_requests
        )
    return results


def works(kind: Kind, operation: str, result: Result) -> bool:
    """Returns whether the operation succeeded with the expected response, and nothing was sent twice."""
    if result.status not in SUCCESSES or result.model_requests != expected_model_requests(operation):
        return False
    if result.posts != (2 if is_refused_first(kind, operation) else result.model_requests):
        return False
    if kind == WITHOUT_GATEWAY and operation not in WITHOUT_MODEL:  # the text of a real model
        return "".join(result.response).strip() != ""
    response, expected = result.response, expected_response(kind, operation)
    if operation == "list":  # the tracking server lists them in any order
        response, expected = sorted(response), sorted(expected)
    return response == expected


def expected_model_requests(operation: str) -> int:
    """Returns the number of requests to a model."""
    return 0 if operation in WITHOUT_MODEL else 1


def is_refused_first(kind: Kind, operation: str) -> bool:
    """Returns whether a prompt is first posted to a path that refuses it without calling the model."""
    return (kind.command, kind.path) == (YAML, V1) and operation in TO_COMPLETIONS


def expected_response(kind: Kind, operation: str) -> list[str]:
    """Returns the response that the scripted upstream produces."""
    if drops(kind, operation):
        return EXPECTED[operation][1:] if operation == "reasoning" else []
    if operation == "list" and kind.command == TRACKING:
        return [f"{name} - {name if name in PROVIDERS else 'openai'} smollm2" for name in (*ROUTES, *PROVIDERS)]
    if operation == "list" and kind == WITHOUT_GATEWAY:
        return ["smollm2 - - -"]
    if operation == "list" and kind.version in WITH_SPLITS:
        return [*EXPECTED[operation], f"{SECOND_CHAT} {CHAT} openai smollm2"]
    return EXPECTED[operation]


def drops(kind: Kind, operation: str) -> bool:
    """Returns whether MLflow drops the tested part from its response."""
    if operation == "reasoning":
        return kind.path != OPENAI_V1
    return operation == "tool calls" and kind.version in WITHOUT_STREAMED_TOOL_CALLS


def has_no_list(kind: Kind) -> bool:
    """Returns whether the server has no list of models below the path of the gateway URI."""
    return kind.path != "" and kind != WITHOUT_GATEWAY


def is_missing(kind: Kind, operation: str) -> bool:
    """Returns whether this server, or its model, does not support the operation."""
    if operation == "split":
        return not (kind.command == YAML and kind.version in WITH_SPLITS)
    if kind == WITHOUT_GATEWAY:
        return operation in ("reasoning", "tool calls", "gemini")
    if kind.path == OPENAI_V1:
        return operation in ("anthropic", "gemini")
    return operation in RAW_REQUESTS and kind.command == YAML


def note(kind: Kind, operation: str, result: Result) -> Optional[str]:
    """Returns the note of a cell: why it is right that it does not work, or how it works."""
    if operation in STREAMS and kind.version in WITHOUT_STREAMS and result.status == "UNSUPPORTED":
        return "MLflow supports streaming from 2.10 on. The error message names the alternative."
    if operation in WITHOUT_MODEL and has_no_list(kind) and result.status == "UNSUPPORTED":
        return "This server has no list of models below this path. To list its routes, use a gateway URI without the path."
    if operation == "embeddings" and kind == WITHOUT_GATEWAY and result.status not in SUCCESSES:
        return "This model does not support embeddings."
    if works(kind, operation, result):
        if drops(kind, operation):
            return DROPPED[operation]
        if is_refused_first(kind, operation):
            return (
                "The prompt is posted to `/chat/completions` first, which rejects it for this route without running "
                "the model. Set the option `task` to avoid this."
            )
        if kind.command == TRACKING and operation in TO_COMPLETIONS:
            return "This server has no completions. The prompt is sent as one user message."
        if kind == WITHOUT_GATEWAY and operation in TO_COMPLETIONS:
            return "A prompt is sent as one user message unless the option `task` is `completions`."
        if kind.command == TRACKING and operation == "list":
            return "Without types: each endpoint of this server serves both chat and embeddings."
    return None


def unexplained(kind: Kind, results: Mapping[str, Result]) -> dict[str, Result]:
    """Returns the results that neither work nor are explained by a note."""
    return {
        operation: one
        for operation, one in results.items()
        if not is_missing(kind, operation)
        and not works(kind, operation, one)
        and (one.status in SUCCESSES or note(kind, operation, one) is None)
    }


def table(results: Mapping[Kind, Mapping[str, Result]]) -> str:
    """Returns both tables in Markdown, with their notes below."""
    notes: list[str] = []
    lines = []
    for operations in (BASIC_OPERATIONS, FEATURES):
        lines.append(f"| MLflow | started with | path of the gateway URI | {' | '.join(operations.values())} |")
        lines.append(f"|---|---|---|{'---|' * len(operations)}")
        for kind, outcomes in results.items():
            cells = [_cell(kind, operation, outcomes[operation], notes) for operation in operations]
            path = f"`{kind.path}`" if kind.path else "-"
            lines.append(f"| {kind.version} | `{kind.command}` | {path} | {' | '.join(cells)} |")
        lines.append("")
    lines += [f"{number}. {text}" for number, text in enumerate(notes, 1)]
    return "\n".join(lines).rstrip() + "\n"


def _cell(kind: Kind, operation: str, result: Result, notes: list[str]) -> str:
    if is_missing(kind, operation):
        return "-"
    text = result.status
    if result.status in SUCCESSES:
        text = "wrong answer"
        if works(kind, operation, result):
            text = "dropped" if drops(kind, operation) else "works"
    footnote = note(kind, operation, result)
    if footnote is None:
        return text
    if footnote not in notes:
        notes.append(footnote)
    return f"{text} <sup>{notes.index(footnote) + 1}</sup>"


def table_of(readme: str) -> Optional[str]:
    """Returns the tables in a README; None if it has no marks."""
    found = TABLES.search(readme)
    return found[1].strip() + "\n" if found else None


def with_table(readme: str, new: str) -> str:
    """Returns a README with new tables."""
    return TABLES.sub(lambda _: f"{MARKS[0]}\n\n{new}\n{MARKS[1]}", readme)


def main() -> int:
    """Prints or writes the tables; fails if a result is unexplained."""
    parser = argparse.ArgumentParser(description="Make README.md's tables of what works with which MLflow.")
    parser.add_argument("--write", action="store_true", help="write them into README.md")
    is_to_write = parser.parse_args().write
    results = measure()
    new = table(results)
    wrong = {kind: unexplained(kind, outcomes) for kind, outcomes in results.items()}
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
