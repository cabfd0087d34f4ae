"""The options as a list of a man page."""

import options
import roff
from header import Header
from options import Option


def short(header: Header, function: str) -> list[str]:
    """Each option of the table in the comment of `function`, with its values."""
    return [line for option in options.read(header, function) for line in roff.tagged(_tag(option), _values(option))]


def full(header: Header, function: str) -> list[str]:
    """The same, with the description of each option."""
    texts = [(option, f"{option.description} {_values(option)}".strip()) for option in options.read(header, function)]
    return [line for option, text in texts for line in roff.tagged(_tag(option), text)]


def _tag(option: Option) -> str:
    return f"\\fB{option.name}\\fR{' *' if option.for_request else ''}"


def _values(option: Option) -> str:
    read = f" Environment: {', '.join(option.variables)}." if option.variables else ""
    return f"Values: {option.values}. Default: {option.default}.{read}"
