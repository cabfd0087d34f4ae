"""The man page of the library: rules, options, environment variables, statuses and functions."""

import comment
import options
import options_list
import roff
from header import Constant, Header
from release import date, source


def write(header: Header, example: str) -> str:
    program = example.partition("*/\n")[2]
    parts = [
        ("NAME", [f"mlflow_ai_gateway \\- {header.summary.rstrip('.')}"]),
        (
            "SYNOPSIS",
            [".nf", ".B #include <mlflow_ai_gateway.h>", ".PP", ".B cc program.c \\-lmlflow_ai_gateway", ".fi"],
        ),
        ("DESCRIPTION", _description()),
        ("RULES", _rules(header)),
        ("OPTIONS", _options(header)),
        ("ENVIRONMENT", _environment(header)),
        ("STATUSES", _constants([each for each in header.constants if _is_status(each)])),
        ("CONSTANTS", _constants([each for each in header.constants if not _is_status(each)])),
        ("FUNCTIONS", _functions(header)),
        ("EXAMPLE", roff.verbatim(program)),
        ("SEE ALSO", roff.references(["mlflow_gateway_call(3)", "mlflow_gateway_create(3)", "mlflow_gateway_send(3)"])),
    ]
    return roff.page("mlflow_ai_gateway", 7, date(), source(header.version), parts)


def _description() -> list[str]:
    return [
        *roff.prose(
            "A program creates a handle with mlflow_gateway_create(), sends a prompt with mlflow_gateway_call(), and "
            "destroys the handle. For anything else it creates a request with mlflow_gateway_request_create(), adds a "
            "prompt, messages, inputs or a body, and passes it to mlflow_gateway_send(), mlflow_gateway_stream_open(), "
            "mlflow_gateway_stream_call() or mlflow_gateway_embed(). To send many requests at once, it submits them to a "
            "queue, which mlflow_gateway_queue_create() creates."
        ),
        ".PP",
        *roff.prose("The library detects the version of the gateway, and so its HTTP API (its dialect)."),
    ]


def _rules(header: Header) -> list[str]:
    lines = roff.prose("These rules apply to every function.")
    for rule in header.rules:
        lines += roff.tagged(f"\\fB{rule.name}\\fR", rule.text)
    return lines


def _options(header: Header) -> list[str]:
    introduction = roff.prose(
        "Set an option with mlflow_gateway_set_option(). A request accepts those marked with *, with "
        "mlflow_gateway_request_set_option(). A timeout of 0 sets no separate limit."
    )
    of_queues = roff.prose("Set an option of a queue with mlflow_gateway_queue_set_option().")
    return [
        *introduction,
        *options_list.full(header, options.OF_HANDLES),
        ".SS Options of a queue",
        *of_queues,
        *options_list.full(header, options.OF_QUEUES),
    ]


def _environment(header: Header) -> list[str]:
    lines = roff.prose(
        "mlflow_gateway_create() reads the environment once. An option that is set takes precedence. A variable that "
        "is set to the empty string is ignored."
    )
    for name, use in options.environment(header).items():
        lines += roff.tagged(f"\\fB{name}\\fR", use)
    return lines


def _is_status(constant: Constant) -> bool:
    return constant.section.startswith("Statuses") or constant.section[0].isdigit()


def _constants(constants: list[Constant]) -> list[str]:
    lines, section = [], ""
    for constant in constants:
        if constant.section != section:
            section = constant.section
            lines.append(f".SS {section}")
        lines += roff.tagged(
            f"\\fB{constant.name}\\fR ({roff.code(constant.value)})", " ".join(constant.comment.split())
        )
    return lines


def _functions(header: Header) -> list[str]:
    lines: list[str] = []
    for section in header.sections():
        lines.append(f".SS {section}")
        for function in header.functions:
            if function.section == section:
                text = comment.headline(function.comment)
                lines += [".TP", f".BR {function.name} (3)", *roff.prose(f"{text}.")]
    return lines
