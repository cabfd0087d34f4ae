"""Divides a comment of the header into paragraphs, parameters, lists and code."""

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple, Union

from header import read


class Paragraph(NamedTuple):
    text: str


class Parameter(NamedTuple):
    """A parameter of the function, and what the comment says about it."""

    name: str
    text: str


class Item(NamedTuple):
    """An item of a list, which belongs to the block before it."""

    text: str


class Verbatim(NamedTuple):
    """Code or a table. Its lines are printed as they are."""

    lines: tuple[str, ...]

    @property
    def is_c(self) -> bool:
        return any(line.rstrip().endswith(";") for line in self.lines)


Block = Union[Paragraph, Parameter, Item, Verbatim]

STATUS = re.compile(r"(?<![\w`])_([A-Z][A-Z_]+[A-Z])\b")
"""A status without its prefix, as descriptions name it, for example _NO_VALUE."""


def blocks(comment: str, parameters: Sequence[str] = ()) -> list[Block]:
    """The blocks of a comment. A line that begins with one of the `parameters` describes it."""
    found: list[Block] = []
    is_new = True
    for line in comment.splitlines():
        indent = len(line) - len(line.lstrip())
        text = line.strip()
        parameter = re.match(r"`(\w+)` ", line)
        may_begin = is_new or isinstance(_last(found), Verbatim) or found[-1].text.endswith((".", ":", ";"))
        if not text:
            is_new = True
            continue
        if parameter and parameter.group(1) in parameters and may_begin:
            found.append(Parameter(parameter.group(1), text[parameter.end() :]))
        elif text.startswith("- ") and indent == 2:
            found.append(Item(text[2:]))
        elif isinstance(_last(found), Item) and indent == 4 and not is_new:
            found[-1] = Item(f"{found[-1].text} {text}")
        elif indent >= 2 and isinstance(_last(found), Verbatim):
            found[-1] = Verbatim((*found[-1].lines, line))
        elif indent >= 2:
            found.append(Verbatim((line,)))
        elif is_new or isinstance(_last(found), (Item, Verbatim)):
            found.append(Paragraph(text))
        else:
            found[-1] = found[-1]._replace(text=f"{found[-1].text} {text}")
        is_new = False
    return [_outdented(block) if isinstance(block, Verbatim) else block for block in found]


def _last(found: list[Block]) -> Union[Block, None]:
    return found[-1] if found else None


def _outdented(block: Verbatim) -> Verbatim:
    margin = min(len(line) - len(line.lstrip()) for line in block.lines)
    return Verbatim(tuple(line[margin:] for line in block.lines))


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=\.) +(?=[A-Z_`\"]|mlflow_|docs/)", text)


def headline(comment: str) -> str:
    """What the first sentence says, without examples and details."""
    first = sentences(blocks(comment)[0].text)[0]
    first = re.sub(r" \((?:[^()]|\(\))*\)", "", first)
    return re.split(r"[:;] |, for example|, so that|, in batches|, one of", first)[0].rstrip(".:;").replace("`", "")


def full_statuses(text: str) -> str:
    """The text with each status by its full name. Other abbreviations stay as they are."""
    return STATUS.sub(lambda found: _full_name(found) if _full_name(found) in _statuses() else found.group(), text)


def _full_name(found: re.Match[str]) -> str:
    return f"MLFLOW_GATEWAY_{found.group(1)}"


@functools.cache
def _statuses() -> set[str]:
    return {constant.name for constant in read().constants}
