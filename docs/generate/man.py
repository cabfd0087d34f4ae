#!/usr/bin/env python3
"""Writes a man page for each function of the header, mlflow_ai_gateway(7), and mlflow-gateway-batch(1) into target/man/.

    python3 docs/generate/man.py [--header FILE] [--examples FOLDER] [--output FOLDER]

Each page shows the shortest program of docs/man/examples that calls its function. A function without a comment or
without a program is an error.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import function_page
import library_page
import roff
from header import HEADER, ROOT, Function, Header, read
from release import date, source

FIRST_EXAMPLE = "call.c"
"""The program of the library's page."""
WRITTEN_BY_HAND = ROOT / "docs/man"
"""The folder of the pages of installed programs."""


class Example(NamedTuple):
    """A program of docs/man/examples."""

    name: str
    text: str

    def calls(self, function: str) -> bool:
        return re.search(rf"\b{function}\(", self.text) is not None


class Incomplete(RuntimeError):
    """A missing part of the documentation. The message is for the person who added a function."""


def read_examples(folder: Path) -> list[Example]:
    """The programs, shortest first."""
    found = [Example(path.name, path.read_text()) for path in sorted(folder.glob("*.c"))]
    return sorted(found, key=lambda example: (example.text.count("\n"), example.name))


def choose(function: Function, examples: list[Example]) -> Optional[Example]:
    """The shortest program that calls the function."""
    return next((example for example in examples if example.calls(function.name)), None)


def pages(header: Header, examples: list[Example]) -> dict[str, str]:
    """Each page by its path below the folder of man pages. All that is missing is reported at once."""
    chosen = {function: choose(function, examples) for function in header.functions}
    first = next((example for example in examples if example.name == FIRST_EXAMPLE), None)
    missing = [*_missing(chosen), *_unused(chosen, examples)]
    if first is None:
        missing.append(f"mlflow_ai_gateway(7): its program docs/man/examples/{FIRST_EXAMPLE} is missing")
    if missing:
        raise Incomplete("\n".join(missing))
    programs = {f"man1/{page.name}": _with_head(page, header) for page in WRITTEN_BY_HAND.glob("*.1")}
    written = {f"man3/{each.name}.3": function_page.write(each, header, chosen[each].text) for each in header.functions}
    return {"man7/mlflow_ai_gateway.7": library_page.write(header, first.text), **programs, **written}


def _with_head(page: Path, header: Header) -> str:
    return roff.page(page.stem, 1, date(), source(header.version), []) + page.read_text()


def _missing(chosen: dict[Function, Optional[Example]]) -> Iterator[str]:
    for function, example in chosen.items():
        if not function.comment:
            yield f"{function.name}: no comment; write a doc comment in src/ffi and build the library"
        if example is None:
            yield f"{function.name}: no program calls it; add a call to a program of docs/man/examples"


def _unused(chosen: dict[Function, Optional[Example]], examples: list[Example]) -> Iterator[str]:
    for example in examples:
        if example not in chosen.values() and example.name != FIRST_EXAMPLE:
            yield f"{example.name}: no page shows it, because shorter programs call the same functions; remove it"


def write(written: dict[str, str], folder: Path) -> None:
    """Replaces the files of the folder one by one: another process may install them meanwhile."""
    for file in {*folder.glob("man*/*")} - {folder / name for name in written}:
        file.unlink(missing_ok=True)
    for name, text in written.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = folder / f"{os.getpid()}.new"
        new.write_text(text)
        new.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the man pages.")
    parser.add_argument("--header", type=Path, default=HEADER)
    parser.add_argument("--examples", type=Path, default=ROOT / "docs/man/examples")
    parser.add_argument("--output", type=Path, default=ROOT / "target/man")
    arguments = parser.parse_args()
    try:
        written = pages(read(arguments.header), read_examples(arguments.examples))
    except Incomplete as incomplete:
        print(f"make man: the documentation is incomplete\n{incomplete}", file=sys.stderr)
        return 1
    write(written, arguments.output)
    print(f"{arguments.output}: {len(written)} man pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
