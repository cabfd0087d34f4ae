"""The ABI description: what programs that are compiled with the header depend on.

The debug information of the library describes Rust's types behind the pointers, which are private and change with every
release. The header, which is generated from the code, describes exactly what programs see. A stub library with every
function and constant of the header, compiled by a C compiler, has that as debug information, and libabigail reads it.

usage: tests/support/abi.py write    write the description
       tests/support/abi.py check    print what has changed; fail if the description is not up to date
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include/mlflow_ai_gateway.h"
LIBRARY = ROOT / "target/release/libmlflow_ai_gateway.so"
DESCRIPTION = ROOT / "abi/libmlflow_ai_gateway.abi"

NOT_ABI = r"VERSION|AT_LEAST|API$"
"""Macros that differ in every release, or that take part in no call."""

COMPILE = ["gcc", "-std=c99", "-g", "-gdwarf-4", "-O0", "-fPIC", "-shared", "-nostdlib", "-x", "c", "-"]
DESCRIBE = [
    "abidw",
    # Nothing that depends on the machine or on the layout of the header.
    *("--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-architecture", "--no-elf-needed"),
    *("--type-id-style", "hash"),
]  # fmt: skip
COMPARE = ["abidiff", "--no-architecture"]


class Change(NamedTuple):
    """Differences between two descriptions, in libabigail's words."""

    breaks_programs: str
    """Changes after which compiled programs may fail; empty if there are none."""
    everything: str
    """All changes, additions included; empty if there are none."""


def declarations(header: str) -> list[str]:
    """The declarations of all functions, without comments."""
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    return [" ".join(found.split()) for found in re.findall(r"^MLFLOW_GATEWAY_API\n(.*?);", code, re.M | re.S)]


def functions(header: str) -> set[str]:
    """The names of all functions."""
    return {re.search(r"(\w+)\(", declaration).group(1) for declaration in declarations(header)}


def constants(header: str) -> dict[str, str]:
    """The names and values of all constants: statuses, kinds, levels."""
    return dict(re.findall(rf"^#define (MLFLOW_GATEWAY_(?!{NOT_ABI})\w+) (\w+)$", header, re.M))


def stub(header: str) -> str:
    """A C program that defines every function of the header, and each constant as an enumerator."""
    values = constants(header)
    return "\n".join(
        [
            header,
            *(f"{declaration} {{ for (;;); }}" for declaration in declarations(header)),
            *(f"#undef {name}" for name in values),
            "enum mlflow_gateway_constants {",
            *(f"    {name} = {value}," for name, value in values.items()),
            "};",
            "enum mlflow_gateway_constants mlflow_gateway_constants;",
            "",
        ]
    )


def soname() -> str:
    """The name by which programs load the library that was built."""
    dynamic = subprocess.run(["readelf", "-d", str(LIBRARY)], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(r"SONAME.*\[(.*)\]", dynamic).group(1)


def describe(header: str, name: str) -> str:
    """The description of a header, and of the SONAME."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "libmlflow_ai_gateway.so"
        command = [*COMPILE, f"-Wl,-soname,{name}", "-o", str(library)]
        subprocess.run(command, input=stub(header), text=True, check=True)
        return subprocess.run([*DESCRIBE, str(library)], stdout=subprocess.PIPE, text=True, check=True).stdout


def compare(old: str, new: str) -> Change:
    """What has changed between two descriptions."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("old.abi", "new.abi")]
        for file, description in zip(files, (old, new)):
            file.write_text(description)
        paths = [str(file) for file in files]
        return Change(_differences("--no-added-syms", *paths), _differences("--harmless", *paths))


def _differences(*arguments: str) -> str:
    done = subprocess.run([*COMPARE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # Bits 0 and 1: the command failed. Bits 2 and 3: the ABI differs.
    if done.returncode & 3:
        raise RuntimeError(f"abidiff failed with status {done.returncode}: {done.stdout}")
    return done.stdout if done.returncode else ""


def changes() -> Change:
    """What has changed since the committed description."""
    return compare(DESCRIPTION.read_text(), describe(HEADER.read_text(), soname()))


def problem(change: Change) -> str:
    """What to tell the person who changed the header; empty if the description is up to date."""
    name = DESCRIPTION.relative_to(ROOT)
    if change.breaks_programs:
        return (
            f"{change.breaks_programs}\nThis breaks compiled programs. docs/abi.md lists what a release must keep. If it is "
            f"intended, change the SONAME,\nrun \"make abi\" and commit {name}."
        )
    if change.everything:
        return f"{change.everything}\nCompiled programs still work. Run \"make abi\" and commit {name}."
    return ""


def main() -> None:
    if sys.argv[1:] == ["write"]:
        DESCRIPTION.write_text(describe(HEADER.read_text(), soname()))
    elif sys.argv[1:] == ["check"]:
        found = problem(changes())
        sys.exit(found or print("The ABI is as described."))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
