"""The man page of one function."""

import re

import comment
import options
import options_list
import roff
from comment import Block, Paragraph, Verbatim
from header import Function, Header
from release import date, source

SENDING = {
    "call", "send", "stream_open", "stream_next", "stream_call", "embed", "list_routes", "get_route", "health",
    "get_limits", "set_limits", "create_route", "delete_route",
}  # fmt: skip
"""Functions that send a request or read a response. The comment with which the header begins lists how they fail."""

OWNED_ERROR = "If `error` is not NULL, it then receives an error object, which the caller owns."
STATIC = "A static string, which must not be freed."
BORROWED = "A NUL-terminated UTF-8 string, which belongs to `{owner}` and lives as long. Do not free it."


def write(function: Function, header: Header, example: str) -> str:
    found = comment.blocks(function.comment, function.parameter_names)
    failures = [block for block in found if _is_failure(block)]
    outcomes = [block for block in found if _is_outcome(block)]
    description = [block for block in found if block not in failures and block not in outcomes]
    name = function.name
    parts = [
        ("NAME", [f"{name} \\- {_headline(function)}"]),
        ("SYNOPSIS", [".nf", ".B #include <mlflow_ai_gateway.h>", ".PP", *roff.declaration(function.signature), ".fi"]),
        ("DESCRIPTION", _description(description, function, header)),
    ]
    if function.result != "void":
        parts.append(("RETURN VALUE", [*roff.prose(_result(function)), *roff.blocks(outcomes, name)]))
    if function.result == "mlflow_gateway_status":
        parts.append(("ERRORS", _errors(function, header, failures, outcomes)))
    parts.append(("EXAMPLE", _example(example)))
    parts.append(("SEE ALSO", roff.references(_related(function, header))))
    return roff.page(name, 3, date(), source(header.version), parts)


def _headline(function: Function) -> str:
    text = comment.headline(function.comment)
    return " ".join(roff.prose(text[0].lower() + text[1:]))


def _is_failure(block: Block) -> bool:
    return isinstance(block, Paragraph) and block.text.startswith("Fails ")


def _is_outcome(block: Block) -> bool:
    return isinstance(block, Paragraph) and block.text.startswith("Returns _")


def _result(function: Function) -> str:
    """Describes the result: by its type, or a number by the comment."""
    names = function.parameter_names
    if function.result == "mlflow_gateway_status":
        return f"MLFLOW_GATEWAY_OK on success, otherwise the status of the error. {OWNED_ERROR}"
    if function.result == "const char *":
        if not any("*" in parameter for parameter in function.parameters):
            return STATIC
        length = " If `len` is not NULL, it receives the length in bytes without the NUL." if "len" in names else ""
        none = (
            "" if function.name.endswith("_message") else f" It is NULL if there is none, or if `{names[0]}` is NULL."
        )
        return BORROWED.format(owner=names[0]) + none + length
    if function.result.startswith("const"):
        return f"A pointer that belongs to `{names[0]}`. It is NULL if `{names[0]}` is NULL."
    if function.result.endswith("*"):
        return "An object, which the caller owns, or NULL."
    text = comment.sentences(comment.blocks(function.comment)[0].text)[0].removeprefix("Return ")
    return text[0].upper() + text[1:]


def _description(found: list[Block], function: Function, header: Header) -> list[str]:
    """A table of options is wider than a terminal, so they are listed."""
    lines: list[str] = []
    for block in found:
        is_table = isinstance(block, Verbatim) and options.is_table(block)
        lines += options_list.short(header, function.name) if is_table else roff.blocks([block], function.name)
    return lines


def _errors(function: Function, header: Header, failures: list[Block], outcomes: list[Block]) -> list[str]:
    """The statuses that the comment lists, each with its meaning, and a reference to the general ones."""
    text = " ".join(block.text for block in failures + outcomes)
    lines = roff.blocks(failures, function.name)
    listed = {f"MLFLOW_GATEWAY_{name}" for name in comment.STATUS.findall(text)}
    for constant in header.constants:
        if constant.name in listed and int(constant.value) < 100:
            lines += roff.tagged(f"\\fB{constant.name}\\fR", constant.comment.replace("\n", " "))
    general = "Any function may fail with MLFLOW_GATEWAY_INVALID_ARGUMENT or a status from 80 to 99."
    if function.name.removeprefix("mlflow_gateway_") in SENDING:
        general += (
            " This function sends a request or reads a response. It may also fail with MLFLOW_GATEWAY_INSECURE_AUTH, "
            "MLFLOW_GATEWAY_INVALID_OPTION_VALUE or any status from 20 to 79."
        )
    return [*lines, ".PP", *roff.prose(general), "See \\fBmlflow_ai_gateway\\fR(7) for their meaning."]


def _example(text: str) -> list[str]:
    """The comment with which a program begins, and the program."""
    title, _, program = text.partition("*/\n")
    title = " ".join(title.removeprefix("/*").split())
    return [*roff.prose(title), *roff.verbatim(program)]


def _related(function: Function, header: Header) -> list[str]:
    """The functions that the comment mentions, those that mention this one, and the pair that makes and destroys."""
    names = {each.name for each in header.functions}
    mentioned = set(re.findall(r"\b(mlflow_gateway_\w+)\(\)", function.comment)) & names
    mentioning = {each.name for each in header.functions if f"{function.name}()" in each.comment}
    kind = re.match(
        r"mlflow_gateway_(cancel_token|completion|embeddings|error|event|queue|request|response|routes|stream)_", function.name
    )
    prefix = f"mlflow_gateway_{kind.group(1)}_" if kind else "mlflow_gateway_"
    pair = {f"{prefix}{verb}" for verb in ("create", "destroy")} & names
    order = [each.name for each in header.functions]
    at = order.index(function.name)
    neighbours = {name for name in order[max(0, at - 1) : at + 2] if _section(name, header) == function.section}
    related = (mentioned | mentioning | pair | neighbours) - {function.name}
    return [*(f"{name}(3)" for name in sorted(related)), "mlflow_ai_gateway(7)"]


def _section(name: str, header: Header) -> str:
    return next(each.section for each in header.functions if each.name == name)
