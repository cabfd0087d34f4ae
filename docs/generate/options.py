"""Reads the options from the header's tables and from docs/options.md, and which environment variables they read."""

import re
from typing import NamedTuple

import comment
from comment import Verbatim
from header import ROOT, Header

VARIABLE = re.compile(
    r"\b(?:(?:MLFLOW|DATABRICKS|OPENAI|REQUESTS|CURL|SSL)_[A-Z_]*[A-Z]\b|(?:https?|all|no)_proxy\b|(?:HTTPS?|ALL|NO)_PROXY\b)(?!_)"
)


class Option(NamedTuple):
    """An option. `for_request`: whether a request accepts it, too."""

    name: str
    for_request: bool
    values: str
    default: str
    variables: list[str]
    description: str


OF_HANDLES = "mlflow_gateway_set_option"
OF_QUEUES = "mlflow_gateway_queue_set_option"
"""The functions whose comments have a table of options."""


def read(header: Header, function: str = OF_HANDLES) -> list[Option]:
    described = _sections()
    return [
        Option(
            name=row[0].rstrip(" *"),
            for_request=row[0].endswith("*"),
            values=row[1],
            default=row[2],
            variables=VARIABLE.findall(row[3]),
            description=_description(described[row[0].rstrip(" *")]),
        )
        for row in _table(header, function)
    ]


def is_table(block: Verbatim) -> bool:
    """Whether it is a table of options."""
    return block.lines[0].startswith("name ")


def environment(header: Header) -> dict[str, str]:
    """Each environment variable, and its purpose."""
    (create,) = (function for function in header.functions if function.name == "mlflow_gateway_create")
    found = {name: "Gateway URI. See mlflow_gateway_create()." for name in VARIABLE.findall(create.comment)}
    options: dict[str, list[str]] = {}
    for option, text in _sections().items():
        for name in VARIABLE.findall(text):
            if not name.startswith("MLFLOW_GATEWAY_"):
                options.setdefault(name, []).append(option)
    for name, used_by in options.items():
        names = ", ".join(f"`{option}`" for option in dict.fromkeys(used_by))
        use = f"Option{'s' if ',' in names else ''} {names}."
        found[name] = f"{found[name]} {use}" if name in found else use
    return dict(sorted(found.items()))


def _table(header: Header, function: str) -> list[list[str]]:
    """The rows of the table in the comment of a function, without its heading."""
    (text,) = (each.comment for each in header.functions if each.name == function)
    (table,) = (block for block in comment.blocks(text) if isinstance(block, Verbatim) and is_table(block))
    starts = [found.start() for found in re.finditer(r"(?:^|(?<=  ))\w+", table.lines[0])]
    rows: list[list[str]] = []
    for line in table.lines[1:]:
        cells = [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None])]
        if cells[0]:
            rows.append(cells)
        else:
            rows[-1] = [f"{before} {cell}".strip() for before, cell in zip(rows[-1], cells)]
    return rows


def _sections() -> dict[str, str]:
    """The text of each option's section."""
    text = (ROOT / "docs/options.md").read_text()
    parts = re.split(r"^##+ (.*)$", text, flags=re.M)
    return {title.strip("`"): body for title, body in zip(parts[1::2], parts[2::2]) if re.fullmatch(r"`\w+`", title)}


def _description(section: str) -> str:
    """The first paragraph after the values and the environment variables, or nothing."""
    for paragraph in section.strip().split("\n\n"):
        if "Default: " not in paragraph and not paragraph.startswith(("|", "-")):
            return " ".join(paragraph.split())
    return ""
