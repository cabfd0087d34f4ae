#!/usr/bin/env python3
"""Builds the site of the guide and the header into target/docs/html/. Fails if Doxygen has anything to report."""

import re
import shutil
import subprocess
import sys

from header import ROOT, read

OUTPUT = ROOT / "target/docs"
PAGES = ("index.html", "streaming.html", "group__streaming.html")
"""Pages that must exist: the start, a page of the guide, and a group of functions."""


def build() -> None:
    if not shutil.which("doxygen"):
        sys.exit("make docs: doxygen is not installed; install it (on Debian and Ubuntu: apt-get install doxygen)")
    shutil.rmtree(OUTPUT / "html", ignore_errors=True)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    settings = (ROOT / "docs/Doxyfile").read_text()
    prepare = f'"{sys.executable} docs/generate/doxygen_filter.py"'
    settings += f"PROJECT_NUMBER = {read().version}\nINPUT = {' '.join(_input())}\n"
    settings += f"FILTER_PATTERNS = *.md={prepare} *.h={prepare}\n"
    if _version() >= (1, 9, 5):
        settings += "HTML_COLORSTYLE = LIGHT\n"
    done = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, text=True)
    if done.returncode != 0:
        sys.exit("make docs: Doxygen reports the warnings above")
    for page in PAGES:
        if not (OUTPUT / "html" / page).is_file():
            sys.exit(f"make docs: Doxygen has not written {page}")
    print(f"{OUTPUT / 'html/index.html'}: built")


def _input() -> list[str]:
    """The files in the order in which the sidebar lists them: the guide's pages as its first page lists them."""
    start = ROOT / "docs/guide/README.md"
    links = re.findall(r"\((\S+\.md)\)", start.read_text())
    pages = [start, *(start.parent / link for link in links if "/" not in link)]
    others = ("docs/options.md", "docs/reliability.md", "docs/bindings.md", "include/mlflow_ai_gateway.h")
    return [*(str(page.relative_to(ROOT)) for page in pages), *others]


def _version() -> tuple[int, ...]:
    text = subprocess.run(["doxygen", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


if __name__ == "__main__":
    build()
