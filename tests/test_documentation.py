"""The code of README.md, the guide, the man pages and the header compiles, runs, and prints what the page shows."""

import re

import pytest
from support.builds import ROOT
from support.documented_code import Code, header_code, man_examples, markdown_code, markdown_files

ALL_CODE = [*markdown_code(), *header_code(), *man_examples()]


def test_all_code_is_found() -> None:
    found = {code.path.parent.name for code in ALL_CODE}
    assert {ROOT.name, "guide", "include", "examples"} <= found
    for path in markdown_files():
        fences = len(re.findall(r"^```(?:c|cpp|python)$", path.read_text(), re.M))
        assert fences == sum(code.path == path for code in ALL_CODE), path


@pytest.mark.parametrize("code", ALL_CODE, ids=lambda code: code.name)
def test_code_compiles_and_runs(code: Code) -> None:
    done = code.run()
    assert (done.returncode, done.stderr) == (0, "")
    if code.output is not None:
        assert done.stdout == code.output


def test_each_event_loop_of_the_guide_prints_the_response() -> None:
    loops = [code for code in ALL_CODE if code.path.name == "event-loops.md"]
    assert len(loops) == 4 and {code.run().stdout for code in loops} == {loops[0].output}


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path: object) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text()):
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text()), target


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_guide_pages_are_short_and_listed() -> None:
    index = (ROOT / "docs/guide/README.md").read_text()
    for path in (ROOT / "docs/guide").glob("*.md"):
        assert path.read_text().count("\n") <= 90, path
        assert path.name == "README.md" or f"({path.name})" in index, path


def test_code_that_does_not_compile_or_fails_is_noticed() -> None:
    page = ROOT / "docs/guide/README.md"
    with pytest.raises(Exception, match="returned non-zero exit status 1"):
        Code(page, 1, "mlflow_gateway_no_such_function();\n").compile()
    failing = Code(page, 2, 'mlflow_gateway_set_option(gateway, "no such option", "1", &error);\n').run()
    assert failing.returncode == 1 and "no such option" in failing.stderr
