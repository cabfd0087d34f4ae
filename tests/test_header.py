"""The C header: generated from the code, fully commented, and compilable on its own."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.builds import ALL, C99, CXX17, INCLUDE, ROOT, TARGET, Build
from support.scripted_gateway import ScriptedGateway, echo, one_route

HEADER = INCLUDE / "mlflow_ai_gateway.h"
SOURCE = ROOT / "tests/c/header_twice.c"


@pytest.mark.parametrize("compiler", [C99, [*CXX17, "-x", "c++"]], ids=["C99", "C++17"])
def test_header_compiles_alone_and_included_twice(compiler: list[str], tmp_path: Path) -> None:
    subprocess.run([*compiler, "-c", str(SOURCE), "-o", str(tmp_path / "o")], check=True)


@pytest.mark.parametrize("build", ALL, ids=lambda build: build.name)
def test_cxx_program_links_and_runs(build: Build) -> None:
    with ScriptedGateway(one_route(echo)) as gateway:
        done = build.run("test_cxx.cpp", gateway.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_declaration_has_a_comment_before_it() -> None:
    text = HEADER.read_text()
    for declaration in re.finditer(r"^(#define MLFLOW_GATEWAY_(?!VERSION|AT_LEAST|API)|typedef |MLFLOW_GATEWAY_API$)", text, re.M):
        before = text[: declaration.start()].rstrip("\n")
        assert before.endswith("*/"), declaration.group()


def declarations() -> list[str]:
    """The header without comments and macros, one declaration an entry, each on one line."""
    code = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    code = re.sub(r"^#.*(\\\n.*)*$", "", code, flags=re.M).replace('extern "C" {', "")
    return [" ".join(declaration.split()) for declaration in code.split(";")]


def functions() -> list[str]:
    found = [declaration for declaration in declarations() if re.search(r"\bmlflow_gateway_\w+\(", declaration)]
    assert len(found) > 100
    return found


def test_every_function_is_marked_with_the_api_macro() -> None:
    for function in functions():
        assert re.match(r"MLFLOW_GATEWAY_API \w", function) and function.count("MLFLOW_GATEWAY_API") == 1, function


def test_api_macro_makes_functions_visible_and_can_be_replaced(tmp_path: Path) -> None:
    def symbol(*flags: str) -> str:
        object_file = tmp_path / "o"
        source = "#include <mlflow_ai_gateway.h>\nint32_t mlflow_gateway_version_number(void) { return 0; }\n"
        compiler = [*C99, "-fvisibility=hidden", *flags, "-x", "c", "-", "-c", "-o", str(object_file)]
        subprocess.run(compiler, input=source, text=True, check=True)
        table = subprocess.run(["readelf", "-sW", str(object_file)], stdout=subprocess.PIPE, text=True, check=True).stdout
        (line,) = [line for line in table.splitlines() if line.endswith("mlflow_gateway_version_number")]
        return line

    assert "DEFAULT" in symbol() and "HIDDEN" in symbol("-DMLFLOW_GATEWAY_API=")


PLAIN_TYPES = {"void", "char", "int", "float", "double", "size_t", "int32_t", "int64_t", "uint64_t"}
"""Types that hand-written bindings can pass, besides the status, pointers to objects, and callbacks."""


def test_signatures_use_plain_types_only() -> None:
    """No bool, enum, struct by value or variable arguments."""
    text = HEADER.read_text()
    objects = set(re.findall(r"^typedef struct (\w+) \1;$", text, re.M))
    callbacks = set(re.findall(r"^typedef \w+ \(\*(\w+)\)\(", text, re.M))
    for declaration in declarations():
        assert not re.search(r"\b(bool|_Bool|enum|union)\b|\.\.\.", declaration), declaration
    for declaration in [*functions(), *(one for one in declarations() if "(*" in one)]:
        signature = re.sub(r"^(typedef|MLFLOW_GATEWAY_API) ", "", declaration)
        result, name, arguments = re.fullmatch(r"(.*?)(?:\(\*)?(mlflow_gateway_\w+)\)?\((.*)\)", signature).groups()
        for argument in [f"{result} {name}", *(arguments.split(", ") if arguments != "void" else [])]:
            match = re.fullmatch(
                r"(?:const )?(\w+) (\**)\s*(\w+)", " ".join(re.sub(r"(\*+)", r" \1", argument).split())
            )
            assert match, (argument, declaration)
            kind, stars, _ = match.groups()
            known = PLAIN_TYPES | {"mlflow_gateway_status"} | callbacks
            assert kind in known or kind in objects and stars, (argument, declaration)


def test_no_line_is_longer_than_120_characters() -> None:
    assert max(len(line) for line in HEADER.read_text().splitlines()) <= 120


ONE_AFTER_THE_OTHER = pytest.mark.xdist_group("builds of a copy")
"""For cargo both trees are one package in one target directory: it would confuse their builds."""


def copy_of_the_tree(name: str) -> Path:
    """Copies the source tree as a release contains it, without build products.

    The copy is below the tree itself, so that its cargo settings apply, and always in the same place, so that cargo
    reuses the dependencies it has built.
    """
    tree = TARGET / "tests" / "trees" / name
    shutil.rmtree(tree, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", ".cargo", ".git", "__pycache__", "tests", "fuzz")
    # Times of files are not copied: cargo might take an older build for a new one.
    shutil.copytree(ROOT, tree, ignore=ignored, copy_function=shutil.copy)
    return tree


def build_header(tree: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "CARGO_INCREMENTAL": "0"}
    command = ["cargo", "check", "--offline", "--locked"]
    return subprocess.run(command, cwd=tree, env=environment, stderr=subprocess.PIPE, text=True)


@ONE_AFTER_THE_OTHER
def test_committed_header_equals_the_generated_one() -> None:
    """A build rewrites a header that differs, so the committed one is read from git."""
    if not (ROOT / ".git").exists():
        pytest.fail("the committed header is read from git; run the tests in a clone")
    committed = subprocess.run(
        ["git", "show", ":include/mlflow_ai_gateway.h"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    tree = copy_of_the_tree("without header")
    (tree / "include/mlflow_ai_gateway.h").unlink()
    done = build_header(tree)
    assert done.returncode == 0, done.stderr
    assert (tree / "include/mlflow_ai_gateway.h").read_text() == committed, "run cargo build and commit the header"


@ONE_AFTER_THE_OTHER
def test_read_only_source_tree_builds() -> None:
    """A folder in place of the header is not writable even for root, who ignores permissions."""
    tree = copy_of_the_tree("read-only")
    (tree / "include/mlflow_ai_gateway.h").unlink()
    (tree / "include/mlflow_ai_gateway.h").mkdir()
    done = build_header(tree)
    assert done.returncode == 0, done.stderr
    assert "cannot be written" in done.stderr
