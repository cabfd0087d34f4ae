"""The machine that the C programs run on: this one, or one that qemu emulates.

TEST_MACHINE, which tests/cross/run sets, names an emulated one.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TARGET = Path(__file__).resolve().parents[2] / "target"


class Machine(NamedTuple):
    """Where the library lies that was built for a machine, and how programs for it are compiled and run."""

    name: str
    """Empty for this machine."""
    release: Path
    tools: str
    """What precedes the names of compilers."""
    emulator: str

    def build_name(self, name: str) -> str:
        return f"{self.name}-{name}" if self.name else name

    def runnable(self, program: Path) -> Path:
        """What runs a program: the program itself, or a script that starts the emulator."""
        if not self.name:
            return program
        script = program.with_suffix(".sh")
        text = f'#!/bin/sh\nexec {self.emulator} -L /usr/{self.tools.rstrip("-")} {program} "$@"\n'
        if not (script.exists() and script.read_text() == text):
            new = script.with_suffix(f".{os.getpid()}")
            new.write_text(text)
            new.chmod(0o755)
            new.replace(script)
        return script

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Variables of a program. A library to preload is one for the program, not for the shell and the emulator."""
        changed = dict(variables)
        if self.name and "LD_PRELOAD" in changed:
            changed["QEMU_SET_ENV"] = f"LD_PRELOAD={changed.pop('LD_PRELOAD')}"
        return changed


def _emulated(name: str, processor: str) -> Machine:
    release = TARGET / f"cross/build/{processor}-unknown-linux-gnu/release"
    return Machine(name, release, f"{processor}-linux-gnu-", f"qemu-{processor}")


NATIVE = Machine("", TARGET / "release", "", "")
EMULATED = (_emulated("arm64", "aarch64"), _emulated("s390x", "s390x"))
MACHINE = {machine.name: machine for machine in (NATIVE, *EMULATED)}[os.environ.get("TEST_MACHINE", "")]
