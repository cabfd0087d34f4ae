#!/usr/bin/env python3
"""Opens three pages of the site in Chromium, and saves a picture of each in target/docs/screenshots/."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from header import ROOT

SITE = ROOT / "target/docs/html"
PICTURES = ROOT / "target/docs/screenshots"
PAGES = {"start": "index.html", "guide": "streaming.html", "functions": "group__streaming.html"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1280,1000",
    "--virtual-time-budget=5000",
)  # fmt: skip
SMALLEST = 20_000
"""Bytes. The picture of an empty page is smaller."""


def take(browser: str, page: str, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *ARGUMENTS, f"--user-data-dir={profile}", f"--screenshot={picture}", (SITE / page).as_uri()]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if done.returncode != 0 or not picture.is_file() or picture.stat().st_size < SMALLEST:
        sys.exit(f"make test-docs: Chromium does not show {page}\n{done.stdout}")
    print(picture)


def main() -> None:
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        sys.exit("make test-docs: Chromium is not installed (on Debian and Ubuntu: apt-get install chromium)")
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for name, page in PAGES.items():
        take(browser, page, PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
