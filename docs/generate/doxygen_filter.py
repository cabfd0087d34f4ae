#!/usr/bin/env python3
"""Prepares a file for Doxygen, which runs this for each file that it reads, and reads what it prints.

The header is written anew from its parts, with groups and parameters in Doxygen's syntax. A function without a comment
stays without one, so that Doxygen reports it. In Markdown, links between pages become references of Doxygen.
"""

import re
import sys
from pathlib import Path
from typing import Optional

import comment
from comment import Item, Paragraph, Parameter, Verbatim
from header import ROOT, Constant, Function, Header, Macro, Type, read

SITE_PAGES = {
    (ROOT / "docs" / name).resolve(): Path(name).stem
    for name in ("options.md", "reliability.md", "bindings.md", *(f"guide/{path.name}" for path in (ROOT / "docs/guide").glob("*.md")))
}
SITE_PAGES[(ROOT / "docs/guide/README.md").resolve()] = "mainpage"
"""The Markdown files of the site, and the name of each page."""


def prepare_header(header: Header) -> str:
    parts = [
        f"/** @file\n{header.summary} */",
        _rules(header),
        *(
            _group(
                _identifier(section), section, [_function(each) for each in header.functions if each.section == section]
            )
            for section in header.sections()
        ),
        _group("types", "Types", [_type(each) for each in header.types]),
        *_groups_of_constants(header),
        _group("macros", "Macros", [_macro(each) for each in header.macros]),
    ]
    return "\n\n".join(parts) + "\n"


def prepare_markdown(path: Path, header: Header) -> str:
    """Headings get names, links become references, and functions and constants become links."""
    page = SITE_PAGES[path.resolve()]
    constants = {each.name for each in header.constants}
    lines, is_code = [], False
    for line in path.read_text().splitlines():
        if line.startswith("```"):
            is_code = not is_code
        elif not is_code:
            line = re.sub(r"\[([^\]]+)\]\((?!https?:)([^)\s]+)\)", lambda link: _link(link, path), line)
            line = re.sub(r"`(mlflow_gateway_\w+\(\))`", r"\1", line)
            line = re.sub(r"`(MLFLOW_GATEWAY_\w+)`", lambda name: _constant_link(name, constants), line)
            line = _heading(line, page)
        lines.append(line)
    return "\n".join(lines) + "\n"


def _rules(header: Header) -> str:
    paragraphs = "\n\n".join(f"@par {rule.name}\n{_prose(rule.text)}" for rule in header.rules)
    return (
        f"/** @page rules Rules for every function\n\nThe shortest program:\n\n@code{{.c}}\n{header.shortest_program}\n"
        f"@endcode\n\nThese rules apply to every function of mlflow_ai_gateway.h:\n\n{paragraphs}\n*/"
    )


def _group(name: str, title: str, members: list[str], text: str = "") -> str:
    return "\n\n".join([f"/** @defgroup {name} {title}\n{text}\n@{{ */", *members, "/** @} */"])


def _groups_of_constants(header: Header) -> list[str]:
    """One group of statuses with a part for each range, and a group for each other section of constants."""
    groups: list[str] = []
    sections = list(dict.fromkeys(each.section for each in header.constants))
    statuses = [section for section in sections if section.startswith("Statuses") or section[0].isdigit()]
    parts = []
    for section in statuses:
        title = section if section[0].isdigit() else "0: success"
        members = [_constant(each) for each in header.constants if each.section == section]
        parts.append("\n\n".join([f"/** @name {title}\n@{{ */", *members, "/** @} */"]))
    groups.append(_group("statuses", "Statuses", parts, "The numbers never change."))
    for section in sections:
        if section not in statuses:
            members = [_constant(each) for each in header.constants if each.section == section]
            groups.append(_group(_identifier(section), section, members))
    return groups


def _identifier(section: str) -> str:
    return re.sub(r"[^a-z]+", "_", section.lower()).strip("_")


def _macro(macro: Macro) -> str:
    return f"/** {_prose(macro.comment)} */\n#define {macro.name}{macro.definition}"


def _type(declared: Type) -> str:
    return f"{_comment(declared.comment)}typedef {declared.declaration};"


def _constant(constant: Constant) -> str:
    return f"{_comment(constant.comment)}#define {constant.name} {constant.value}"


def _function(function: Function) -> str:
    return f"{_comment(function.comment, function)}{function.signature};"


def _comment(text: str, function: Optional[Function] = None) -> str:
    if not text:
        return ""
    lines: list[str] = []
    for block in comment.blocks(text, function.parameter_names if function else ()):
        if isinstance(block, Paragraph):
            lines += ["", *_paragraph(block.text)]
        elif isinstance(block, Parameter):
            said = block.text.removeprefix("is ")
            lines += ["", f"@param {block.name} {_prose(said[0].upper() + said[1:])}"]
        elif isinstance(block, Item):
            lines.append(f"  - {_prose(block.text)}")
        elif isinstance(block, Verbatim):
            kind = "code{.c}" if block.is_c else "verbatim"
            lines += ["", f"@{kind}", *block.lines, f"@end{kind.split('{')[0]}"]
    return "/**\n" + "\n".join(lines).strip("\n") + "\n*/\n"


def _paragraph(text: str) -> list[str]:
    if text.startswith("Fails "):
        return ["@par Errors", _prose(text)]
    if text.startswith("Returns _"):
        return ["@return " + _prose(text.removeprefix("Returns "))]
    return [_prose(text)]


def _prose(text: str) -> str:
    """Statuses become links. Doxygen would read `\\"` and `<` as its own commands."""
    text = re.sub(r"\bMLFLOW_GATEWAY_[A-Z]+_?(?= numbers\b)", lambda prefix: f"`{prefix.group()}`", text)
    text = re.sub(r'"(?:[^"\\]|\\.)*\\.(?:[^"\\]|\\.)*"', r"`\g<0>`", text).replace("#if", r"\#if")
    text = text.replace("docs/options.md", '@ref options "Options"')
    return re.sub(r"(?<![`\w#])MLFLOW_GATEWAY_(?!URI)\w+[A-Z](?!\w|`)", r"#\g<0>", comment.full_statuses(text))


def _heading(line: str, page: str) -> str:
    heading = re.fullmatch(r"(#+) (.*)", line)
    if not heading:
        return line
    name = page if heading.group(1) == "#" else f"{page}-{_anchor(heading.group(2))}"
    return f"{line.replace('`', '')} {{#{name}}}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _link(link: re.Match[str], path: Path) -> str:
    """A page of the site is referred to. The name of a file that is not in the site stays as text."""
    text, target = link.groups()
    name, _, anchor = target.partition("#")
    page = SITE_PAGES.get((path.parent / name).resolve())
    if page is None:
        return text
    return f'@ref {page}{f"-{anchor}" if anchor else ""} "{text.replace("`", "")}"'


def _constant_link(name: re.Match[str], constants: set[str]) -> str:
    return f"#{name.group(1)}" if name.group(1) in constants else name.group()


if __name__ == "__main__":
    file = Path(sys.argv[1])
    print(prepare_header(read(file)) if file.suffix == ".h" else prepare_markdown(file, read()), end="")
