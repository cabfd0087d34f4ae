"""Header, documentation, examples and messages use the terms of HTTP and of LLM APIs, not riddles.

PHRASES lists phrases that earlier versions used, and what to write instead. A phrase that is right in some sentence is
still a failure: word the sentence differently, so that the list stays simple.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

PHRASES = {
    # requests and responses
    "question": "request; prompt",
    "questions": "requests; prompts",
    "answer": "response",
    "answers": "responses; responds",
    "answered": "responded",
    "answering": "responding",
    "asked": "requested; sent",
    "asking": "requesting; sending",
    "what is asked": "request",
    "what came back": "response",
    "what comes back": "response",
    "what came of": "result of",
    "what comes of": "result of",
    "what it came to": "result",
    "texts": "strings; messages",
    "calls of tools": "tool calls",
    "vector": "embedding",
    "vectors": "embeddings",
    "block of numbers": "array of floats",
    "tokens as they come": "streaming",
    "words as they come": "streaming",
    "pieces as they come": "fragments",
    # actions
    "ask again": "retry",
    "asks again": "retries",
    "asked again": "retried",
    "tries again": "retries",
    "take back": "unset; remove",
    "takes back": "unsets; removes",
    "taken back": "unset; removed",
    "took back": "unset; removed",
    "take it back": "cancel it; remove it",
    "take them back": "remove them",
    "takes a parameter back": "unsets a parameter",
    "go before": "take precedence over",
    "goes before": "takes precedence over",
    "went before": "took precedence over",
    "had enough": "cancelled",
    "lets itself be": "can be",
    "told": "given; reported",
    "tell apart": "distinguish",
    "told apart": "distinguished",
    "handed out": "returned",
    # limits and times
    "so many": "at most N",
    "so much": "at most N",
    "as many as": "at most N",
    "as much as": "at most N",
    "as often as one likes": "repeatedly",
    "as one likes": "as needed",
    "time was over": "timed out; the deadline expired",
    "time is over": "timed out; the deadline expired",
    "for ever": "forever",
    # conditions and exceptions
    "but for": "except; unless",
    "is no mistake": "is not an error",
    "no mistake": "not an error",
    "without that": "without; unless",
    "that there is not": "that does not exist",
    "that there are not": "that do not exist",
    "which is another thing than": "which differs from",
    "lest": "so that ... not",
    # people and parts of speech in place of nouns
    "whom": "name the program, the thread or the server",
    "whoever": "the caller that; a program that",
    "somebody": "another thread; another process",
    "nobody": "no thread; no process",
    "nobody else": "no other",
    "anybody": "any program; any thread",
    "who you are": "authentication",
    "who we are": "credentials",
    "the way there": "proxy and TLS settings",
    "on the way": "through the proxy; in between",
    "by way of": "through",
    "what goes on": "logging; progress",
    "what went wrong": "errors; why it failed",
    "what is there": "routes; what exists",
    "what is wrong": "the error",
    "wrong use": "usage error",
}
"""Phrases, in lower case and with single spaces, and their replacements."""

GAP = r'(?:\\n|[\s*"\\/#])+'
"""What may stand between two words of a phrase: a line break with the marks of a comment or of a C string around it."""

PHRASE = re.compile(
    r"(?<!std::)(?<!#include <)\b(?:"  # names of the C++ standard library are not prose
    + "|".join(GAP.join(map(re.escape, phrase.split())) for phrase in sorted(PHRASES, key=len, reverse=True))
    + r")\b",
    re.IGNORECASE,
)

PROSE = [
    "include/*.h",
    "include/*.hpp",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "bindings/python/*.py",
    "bindings/zig/*.zig",
    "docs/**/*.md",
    "docs/man/examples/*.c",
    "examples-c/*",
    "bindings/**/*.md",
    "bindings/go/**/*.go",
    "bindings/go/*.c",
    "bindings/go/glue.h",
    "bindings/ruby/lib/**/*.rb",
    "bindings/ruby/examples/*.rb",
    "bindings/ruby/sig/*.rbs",
    "Makefile",
    "Cargo.toml",
    "cbindgen.toml",
    "build.rs",
]
"""Files whose whole text is searched."""


class Passage(NamedTuple):
    """A text, and the line of its file on which it begins."""

    line: int
    text: str


def findings(passage: Passage) -> list[str]:
    """Each phrase in the passage, with its line and its replacement."""
    found = []
    for match in PHRASE.finditer(passage.text):
        line = passage.line + passage.text.count("\n", 0, match.start())
        phrase = " ".join(re.split(GAP, match.group()))
        found.append(f'{line}: "{phrase}"; write instead: {PHRASES[phrase.lower()]}')
    return found


RUST_TOKEN = re.compile(
    r"""
      (?P<comment> //[^\n]* | /\*.*?\*/ )
    | (?P<raw> \b[bc]?r(?P<hashes>\#*)" (?P<raw_text>.*?) "(?P=hashes) )
    | (?P<string> \b[bc]?" (?P<text>(?:[^"\\]|\\.)*) " | " (?P<plain>(?:[^"\\]|\\.)*) " )
    | (?P<char> b?'(?:[^'\\\n]|\\(?:u\{[^}]*\}|x..|.))' )
    """,
    re.VERBOSE | re.DOTALL,
)
"""What has to be recognized to find the string literals of Rust: comments and characters may contain quotation marks."""


def messages(source: str) -> Iterator[Passage]:
    """The string literals with a space that are outside of `#[cfg(test)]` items."""
    tokens = list(RUST_TOKEN.finditer(source))
    code = RUST_TOKEN.sub(lambda token: re.sub(r"[^\n]", " ", token.group()), source)
    tests = [
        range(attribute.start(), end_of_item(code, attribute.end()))
        for attribute in re.finditer(r"#\[cfg\((?:all\()?test\b[^\]]*\]", code)
    ]
    for token in tokens:
        text = next((part for part in token.group("raw_text", "text", "plain") if part is not None), None)
        if text is None or " " not in text or any(token.start() in test for test in tests):
            continue
        yield Passage(source.count("\n", 0, token.start()) + 1, token.group())


def end_of_item(code: str, start: int) -> int:
    """Where the item that begins at `start` ends: at a semicolon, or at the brace that closes its first one."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] == ";" and depth == 0:
            return at
        if code[at] == "{":
            depth += 1
        if code[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return len(code)


def prose_files() -> list[Path]:
    """Programs that `make examples` builds have no suffix."""
    files = {path for pattern in PROSE for path in ROOT.glob(pattern)}
    return sorted(path for path in files if path.is_file() and (path.suffix or path.name == "Makefile"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def check(path: Path, passages: Iterable[Passage]) -> None:
    found = [f"{named(path)}:{finding}" for passage in passages for finding in findings(passage)]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("path", prose_files(), ids=named)
def test_documentation_has_no_listed_phrase(path: Path) -> None:
    check(path, [Passage(1, path.read_text())])


@pytest.mark.parametrize("path", sorted(ROOT.glob("src/**/*.rs")), ids=named)
def test_messages_have_no_listed_phrase(path: Path) -> None:
    check(path, messages(path.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "It takes back a parameter.",
        "It TAKES\nBACK a parameter.",
        " * It takes\n * back a parameter.",
        "/// It takes\n    /// back a parameter.",
        '    "it takes\\n"\n    "back a parameter\\n"',
        '"it takes \\\n     back a parameter"',
    ],
)
def test_phrase_is_found_across_a_line_break(text: str) -> None:
    (finding,) = findings(Passage(7, text))
    assert re.fullmatch(r'[78]: "takes back"; write instead: unsets; removes', finding, re.IGNORECASE)


def test_longest_phrase_is_reported() -> None:
    assert [finding.split(";")[0] for finding in findings(Passage(1, "it is asked again"))] == ['1: "asked again"']
    assert findings(Passage(1, "a task, backtold, textspan and answerable")) == []
    assert findings(Passage(1, "#include <vector> // std::vector")) == []


def test_messages_are_the_string_literals_outside_of_tests() -> None:
    source = '''
        // "a comment"
        fn f<'a>(x: &'a str) { g('"', "one word", "word", r#"raw "text" here"#, b"two bytes", "esc \\" aped"); }
        #[cfg(test)]
        use a::b;
        #[cfg(test)]
        mod tests {
            fn g() { h("in a test {"); }
        }
        const LATER: &str = "it is \\
            later";
    '''
    found = [(passage.line, passage.text) for passage in messages(source)]
    assert [line for line, _ in found] == [3, 3, 3, 3, 10]
    assert [text for _, text in found[:4]] == ['"one word"', 'r#"raw "text" here"#', 'b"two bytes"', '"esc \\" aped"']
