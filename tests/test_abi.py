"""The ABI: as described in abi/, and the same set of functions everywhere."""

import re
import subprocess

import pytest
from support.abi import (
    HEADER,
    LIBRARY,
    Change,
    changes,
    compare,
    describe,
    functions,
    problem,
    soname,
)
from support.builds import INCLUDE, clean_environment, need

TEXT = HEADER.read_text()
CXX_HEADER = INCLUDE / "mlflow_ai_gateway.hpp"

FREE = "MLFLOW_GATEWAY_API\nvoid mlflow_gateway_string_free(char *text);"


def exports() -> set[str]:
    command = [need("nm"), "-D", "--defined-only", str(LIBRARY)]
    table = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=clean_environment()).stdout
    return {line.split()[-1] for line in table.splitlines()}


def test_abi_is_as_described() -> None:
    found = problem(changes())
    if found:
        pytest.fail(found, pytrace=False)


def test_library_exports_what_the_header_declares() -> None:
    assert len(functions(TEXT)) > 100
    assert exports() ^ functions(TEXT) == set()


def test_cxx_header_uses_every_function() -> None:
    assert functions(TEXT) - set(re.findall(r"\w+", CXX_HEADER.read_text())) == set()


def change(old: str, new: str) -> Change:
    """The difference that a change of the header makes."""
    assert TEXT.count(old) == 1, old
    return compare(describe(TEXT, soname()), describe(TEXT.replace(old, new), soname()))


INCOMPATIBLE = {
    "function removed": (FREE, "", "void mlflow_gateway_string_free(char*)"),
    "argument added": (FREE, FREE.replace("text)", "text, int how)"), "parameter 2 of type 'int' was added"),
    "other integer returned": (
        "int32_t mlflow_gateway_version_number(", "int64_t mlflow_gateway_version_number(", "from int32_t to int64_t",
    ),
    "other object taken": (
        "mlflow_gateway_error_destroy(mlflow_gateway_error *", "mlflow_gateway_error_destroy(mlflow_gateway_event *",
        "mlflow_gateway_error_destroy",
    ),
    "callback changed": (
        "(*mlflow_gateway_on_destroy)(void *user_data)", "(*mlflow_gateway_on_destroy)(int why, void *user_data)",
        "mlflow_gateway_on_destroy",
    ),
    "status renumbered": (
        "MLFLOW_GATEWAY_TIMEOUT 24\n", "MLFLOW_GATEWAY_TIMEOUT 27\n", "MLFLOW_GATEWAY_TIMEOUT' from value '24' to '27'",
    ),
    "event kind removed": ("#define MLFLOW_GATEWAY_EVENT_OTHER 7\n", "", "MLFLOW_GATEWAY_EVENT_OTHER"),
}  # fmt: skip
COMPATIBLE = {
    "function added": (FREE, f"{FREE}\n{FREE.replace('string', 'text')}", "mlflow_gateway_text_free"),
    "status added": (
        "#define MLFLOW_GATEWAY_TIMEOUT 24\n", "#define MLFLOW_GATEWAY_TIMEOUT 24\n#define MLFLOW_GATEWAY_LATE 27\n",
        "MLFLOW_GATEWAY_LATE",
    ),
}  # fmt: skip
"""Changes of the header, and what the report of each contains."""


@pytest.mark.parametrize("old,new,words", INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_incompatible_change_is_reported(old: str, new: str, words: str) -> None:
    found = change(old, new)
    assert words in found.breaks_programs
    assert "breaks compiled programs" in problem(found)


@pytest.mark.parametrize("old,new,words", COMPATIBLE.values(), ids=COMPATIBLE)
def test_addition_is_to_be_recorded(old: str, new: str, words: str) -> None:
    found = change(old, new)
    assert (found.breaks_programs, words in found.everything) == ("", True)
    assert "Compiled programs still work" in problem(found)


def test_comment_or_argument_name_is_no_change() -> None:
    found = change(f"/** Free a string that the caller owns, or NULL. */\n{FREE}", FREE.replace("text", "string"))
    assert found == Change("", "")
