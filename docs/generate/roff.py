"""Writes text of the header as man(7) source."""

import re
import textwrap

from comment import Block, Item, Paragraph, Parameter, Verbatim, full_statuses, sentences

INLINE = re.compile(
    r"`(?P<name>[^`]+)`|(?P<options>\bdocs/options\.md)|(?P<call>\bmlflow_gateway_\w+)\(\)|(?P<constant>\bMLFLOW_GATEWAY_[A-Z_]*[A-Z])\b(?!_)"
)
SPECIAL = {"\\": r"\e", "-": r"\-", "`": r"\(ga", "'": r"\(aq", "^": r"\(ha", "~": r"\(ti"}
"""Characters that a terminal would otherwise print as typographic ones."""


def code(text: str) -> str:
    """A text that is printed exactly, character by character."""
    return _guard("".join(SPECIAL.get(character, character) for character in text))


def heading(title: str) -> str:
    return f".SH {title}"


def verbatim(text: str) -> list[str]:
    """Lines of code or of a table. They are not indented further, so that they fit a terminal."""
    return [".PP", ".nf", *(code(line) for line in text.strip("\n").splitlines()), ".fi"]


def prose(text: str, own_name: str = "") -> list[str]:
    """A paragraph, one sentence a line. Functions are set in bold, with their section of the manual."""
    lines = [_inline(sentence, own_name) for sentence in sentences(full_statuses(text))]
    return [
        _guard(part)
        for line in lines
        for part in textwrap.wrap(line, 78, break_long_words=False, break_on_hyphens=False)
    ]


def blocks(found: list[Block], own_name: str = "") -> list[str]:
    lines: list[str] = []
    for block in found:
        if isinstance(block, Paragraph):
            lines += [".PP", *prose(block.text, own_name)]
        elif isinstance(block, Parameter):
            lines += tagged(f"\\fI{block.name}\\fR", block.text, own_name)
        elif isinstance(block, Item):
            lines += [".RS", ".IP \\(bu 2", *prose(block.text, own_name), ".RE"]
        elif isinstance(block, Verbatim):
            lines += verbatim("\n".join(block.lines))
    return lines


def tagged(tag: str, text: str, own_name: str = "") -> list[str]:
    return [".TP", tag, *prose(text, own_name)]


def references(pages: list[str]) -> list[str]:
    """A list of other pages, given as `name(section)`."""
    lines = []
    for page in pages:
        name, section = page.rstrip(")").split("(")
        lines.append(f".BR {name} ({section}),")
    lines[-1] = lines[-1].rstrip(",")
    return lines


def declaration(text: str) -> list[str]:
    """The declaration of a function, its parameters below each other, in a width that fits a terminal."""
    head, _, rest = text.partition("(")
    parameters = [" ".join(part.split()) for part in rest.rstrip(")").split(",")]
    one_line = f"{head}({', '.join(parameters)});"
    if len(one_line) <= 72:
        return [f".B {code(one_line)}"]
    lines = [f"{head}(", *(f"    {parameter}," for parameter in parameters)]
    lines[-1] = lines[-1].rstrip(",") + ");"
    return [f'.B "{code(line)}"' for line in lines]


def page(title: str, section: int, date: str, source: str, parts: list[tuple[str, list[str]]]) -> str:
    """A whole page of `parts`, each with a heading."""
    lines = [f'.TH {title} {section} "{date}" "{source}" ""', ".nh", ".ad l"]
    for name, body in parts:
        if body and body[0] == ".PP":
            body = body[1:]
        lines += [heading(name), *body]
    return "\n".join(lines) + "\n"


def _inline(text: str, own_name: str) -> str:
    result, at = [], 0
    for match in INLINE.finditer(text):
        result.append(_escaped(text[at : match.start()]))
        if match["name"]:
            result.append(f"\\fI{_escaped(match['name'])}\\fR")
        elif match["options"]:
            result.append("\\fBmlflow_ai_gateway\\fR(7)")
        elif match["call"] == own_name:
            result.append(f"\\fB{own_name}\\fR()")
        elif match["call"]:
            result.append(f"\\fB{match['call']}\\fR(3)")
        else:
            result.append(f"\\fB{match['constant']}\\fR")
        at = match.end()
    result.append(_escaped(text[at:]))
    return "".join(result)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\e").replace("~", r"\(ti").replace("^", r"\(ha").replace("`", r"\(ga")


def _guard(line: str) -> str:
    """A line that begins with a dot or an apostrophe would be a request."""
    return rf"\&{line}" if line.startswith((".", "'")) else line
