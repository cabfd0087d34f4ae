#!/usr/bin/env python3
"""Prints the copyright file of the Debian packages: our license, and those of all Rust packages in the library."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

APACHE_FIRST_LINES = "Apache License\nVersion 2.0, January 2004"
APACHE_ON_DEBIAN = "The Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0."

INTRODUCTION = f"""\
mlflow-ai-gateway is distributed under the MIT license or, at your option, the
Apache License 2.0. {APACHE_ON_DEBIAN}

{(ROOT / "LICENSE-MIT").read_text()}
The library contains the standard library of Rust (Copyright (c) The Rust
Project Contributors, MIT or Apache-2.0) and the Rust packages below, with
their licenses.
"""


def linked_packages() -> list[dict]:
    """The packages whose code is in the library: not those that only build it, such as procedural macros."""
    host = output("rustc", "--version", "--verbose").split("host: ")[1].split()[0]
    metadata = json.loads(
        output("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", host)
    )
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    root = metadata["resolve"]["root"]
    found, waiting = {root}, [root]
    while waiting:
        for dependency in nodes[waiting.pop()]["deps"]:
            name = dependency["pkg"]
            linked = any(kind["kind"] is None for kind in dependency["dep_kinds"])
            if linked and name not in found and not is_macro(packages[name]):
                found.add(name)
                waiting.append(name)
    return sorted((packages[name] for name in found - {root}), key=lambda package: package["name"])


def is_macro(package: dict) -> bool:
    return any("proc-macro" in target["kind"] for target in package["targets"])


def licenses(package: dict) -> Iterator[str]:
    """The texts of the licenses; Debian has that of Apache already."""
    folder = Path(package["manifest_path"]).parent
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and is_license(file.name)]
    texts = [file.read_text().strip() for file in files]
    if not texts:
        raise SystemExit(f"{folder} contains no license; state in {__file__} where the license of the package is")
    apache = [text for text in texts if is_apache(text)]
    yield from (text for text in texts if text not in apache)
    if len(apache) == len(texts):
        yield APACHE_ON_DEBIAN


def is_license(name: str) -> bool:
    return name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "UNLICENSE", "NOTICE"))


def is_apache(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return "\n".join(lines[:2]) == APACHE_FIRST_LINES


def output(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


print(INTRODUCTION)
for package in linked_packages():
    title = f"{package['name']} {package['version']} ({package['license']})"
    print(f"\n{title}\n{'-' * len(title)}\n")
    print("\n\n".join(licenses(package)))
