"""Every function has a man page with an example, and `make man` fails where one is missing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.builds import ROOT, SHARED, need
from support.documented_code import man_examples

HEADER = ROOT / "include/mlflow_ai_gateway.h"
EXAMPLES = ROOT / "docs/man/examples"


def write_pages(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "docs/generate/man.py"), "--output", str(output), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("man")
    done = write_pages(output)
    assert done.returncode == 0, done.stderr
    return output


def functions() -> set[str]:
    """The functions of the header, read without the code that writes the pages."""
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)
    return set(re.findall(r"\b(mlflow_gateway_\w+)\(", text))


def test_every_function_has_a_page_that_calls_it(pages: Path) -> None:
    assert {path.stem for path in (pages / "man3").iterdir()} == functions()
    for path in (pages / "man3").iterdir():
        example = path.read_text().split(".SH EXAMPLE\n")[1].split(".SH SEE ALSO\n")[0]
        assert f"{path.stem}(" in example and "int main(" in example, path.name


def test_pages_have_the_usual_sections(pages: Path) -> None:
    for path in (pages / "man3").iterdir():
        sections = re.findall(r"^\.SH (.*)$", path.read_text(), re.M)
        assert sections[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"], path.name
        assert sections[-2:] == ["EXAMPLE", "SEE ALSO"], path.name
    library = (pages / "man7/mlflow_ai_gateway.7").read_text()
    for part in ("timeout_ms", "MLFLOW_TRACKING_TOKEN", "MLFLOW_GATEWAY_TIMEOUT", *functions()):
        assert part in library


def test_pages_refer_to_pages_that_exist(pages: Path) -> None:
    for path in [*pages.glob("man*/*")]:
        for name in re.findall(r"(mlflow_\w+)(?:\\fR| )\([37]\)", path.read_text()):
            assert list(pages.glob(f"man*/{name}.*")), (path.name, name)


def test_page_of_the_program_lists_its_options(pages: Path) -> None:
    page = (pages / "man1/mlflow-gateway-batch.1").read_text().replace("\\-", "-")
    listed = re.findall(r"^\.TP\n\.BR? (?:-\w \", \" )?(--[\w-]+)", page.split(".SH OPTIONS")[1], re.M)
    program = "".join((ROOT / "examples-c" / name).read_text() for name in ("batch.c", "batch_parts/settings.h"))
    help_text = SHARED.run("batch.c", "--help").stdout
    assert sorted(listed) == sorted(re.findall(r"^  (?:-\w, )?(--[\w-]+)", help_text, re.M))
    assert set(listed) == {f"--{name}" for name in re.findall(r'^    \{ "([\w-]+)"', program, re.M)}
    for status in re.findall(r"(\d+) ", help_text.split("exit status: ")[1]):
        assert f"\n.TP\n{status}\n" in page or f"\n.RI {status} " in page


def test_mandoc_finds_nothing_wrong(pages: Path) -> None:
    command = [need("mandoc"), "-Tlint", "-Wwarning", *map(str, pages.glob("man*/*"))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("code", man_examples(), ids=lambda code: code.name)
def test_examples_fit_a_terminal(code) -> None:
    assert max(len(line) for line in code.text.splitlines()[1:]) <= 73
    assert code.is_program and code.text.startswith("/* ")


def test_missing_example_is_reported(tmp_path: Path) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    for path in EXAMPLES.glob("*.c"):
        if path.name != "embed.c":
            (examples / path.name).write_text(path.read_text())
    done = write_pages(tmp_path / "man", "--examples", str(examples))
    assert done.returncode == 1 and not (tmp_path / "man").exists()
    assert "mlflow_gateway_embed: no program calls it" in done.stderr
    assert "mlflow_gateway_call" not in done.stderr


def test_function_without_comment_is_reported(tmp_path: Path) -> None:
    comment = "/** Destroy an error. */\n"
    header = tmp_path / "header.h"
    text = HEADER.read_text()
    assert comment in text
    header.write_text(text.replace(comment, ""))
    done = write_pages(tmp_path / "man", "--header", str(header))
    assert done.returncode == 1 and "mlflow_gateway_error_destroy: no comment" in done.stderr


def test_new_function_needs_an_example(tmp_path: Path) -> None:
    header = tmp_path / "header.h"
    new = "/** Do something new. */\nMLFLOW_GATEWAY_API\nvoid mlflow_gateway_something(void);\n\n#ifdef __cplusplus\n}"
    header.write_text(HEADER.read_text().replace("#ifdef __cplusplus\n}", new))
    done = write_pages(tmp_path / "man", "--header", str(header))
    assert done.returncode == 1 and "mlflow_gateway_something: no program calls it" in done.stderr
