"""Reads the header: its rules, sections, functions, types and constants, each with its comment."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include/mlflow_ai_gateway.h"


class Function(NamedTuple):
    """A function. `signature` is its declaration without the macro, as the header has it."""

    name: str
    signature: str
    comment: str
    section: str

    @property
    def result(self) -> str:
        """The type of the result, for example `const char *`."""
        return self.signature[: self.signature.index(self.name)].strip()

    @property
    def parameters(self) -> list[str]:
        """Each parameter with its type."""
        inside = self.signature[self.signature.index("(") + 1 : self.signature.rindex(")")]
        parts = [" ".join(part.split()) for part in inside.split(",")]
        return [] if parts == ["void"] else parts

    @property
    def parameter_names(self) -> list[str]:
        return [re.split(r"[\s*]+", parameter)[-1] for parameter in self.parameters]


class Type(NamedTuple):
    name: str
    declaration: str
    comment: str


class Constant(NamedTuple):
    name: str
    value: str
    comment: str
    section: str


class Macro(NamedTuple):
    """A macro that is no number, for example `MLFLOW_GATEWAY_AT_LEAST(major, minor, patch)`."""

    name: str
    definition: str
    comment: str


class Rule(NamedTuple):
    """A rule that applies to every function, for example "Errors"."""

    name: str
    text: str


class Header(NamedTuple):
    summary: str
    shortest_program: str
    rules: list[Rule]
    macros: list[Macro]
    types: list[Type]
    constants: list[Constant]
    functions: list[Function]
    version: str

    def sections(self) -> list[str]:
        """The sections that have functions, in the header's order."""
        return list(dict.fromkeys(function.section for function in self.functions))


TOKEN = re.compile(
    r"""
      ^/\*\ (?P<section>[^\n]+)\n\ \*\ -+\ \*/$
    | (?:^/\*\*(?P<comment>(?:[^*]|\*(?!/))*)\*/\n)?
      (?:
        ^MLFLOW_GATEWAY_API\n(?P<function>[^;]+);
      | ^typedef\ (?P<type>[^;]+);
      | ^\#define\ (?P<constant>MLFLOW_GATEWAY_(?!VERSION|AT_LEAST|API|NUL_)\w+)\ (?P<value>-?\d+)$
      )
    """,
    re.VERBOSE | re.MULTILINE,
)

MACRO = re.compile(
    r"^/\* (?P<comment>[^*]+) \*/\n(?:#ifndef \w+\n#if .*\n)?"
    r"#define (?P<name>MLFLOW_GATEWAY_\w+)(?P<definition>(?:\([^)]*\))? (?:.*\\\n)*.*)$",
    re.MULTILINE,
)


def read(path: Path = HEADER) -> Header:
    """Reads the header. A declaration without a comment has an empty one."""
    text = path.read_text()
    summary, shortest_program, rules = _opening(text[: text.index("#ifndef")])
    types, constants, functions, section = [], [], [], ""
    for token in TOKEN.finditer(text):
        comment = _plain(token["comment"] or "")
        if token["section"]:
            section = token["section"]
        elif token["function"]:
            name = re.search(r"\b(mlflow_gateway_\w+)\(", token["function"]).group(1)
            functions.append(Function(name, token["function"], comment, section))
        elif token["type"]:
            name = re.search(r"\(\*(\w+)\)|(\w+)$", token["type"])
            types.append(Type(name.group(1) or name.group(2), token["type"], comment))
        else:
            constants.append(Constant(token["constant"], token["value"], comment, section))
    version = ".".join(re.findall(r"#define MLFLOW_GATEWAY_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", text))
    macros = [Macro(found["name"], found["definition"], found["comment"]) for found in MACRO.finditer(text)]
    return Header(summary, shortest_program, rules, macros, types, constants, functions, version)


def _plain(comment: str) -> str:
    """A comment without its stars."""
    return "\n".join(re.sub(r"^ ?\* ?", "", line.rstrip()) for line in comment.strip().splitlines()).strip("\n")


def _opening(text: str) -> tuple[str, str, list[Rule]]:
    """The summary, the shortest program and the rules from the comment with which the header begins."""
    lines = _plain(text[text.index("/*\n") + 2 : text.rindex("*/")]).splitlines()
    summary = lines[0].split(" - ", 1)[1]
    program = "\n".join(line[4:] for line in lines if line.startswith("    ") and not line.startswith(" " * 11))
    rules: list[Rule] = []
    for line in lines[lines.index("These rules apply to every function:") + 1 :]:
        name, text = line[:11].strip(), line[11:].strip()
        if name:
            rules.append(Rule(name, text))
        elif text:
            rules[-1] = rules[-1]._replace(text=f"{rules[-1].text} {text}")
    return summary, program, rules
