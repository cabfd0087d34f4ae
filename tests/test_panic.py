"""A fault inside the library comes back as a status."""

import re

import pytest
from builds import PANIC, PANIC_VALGRIND, Build
from scripted_gateway import ScriptedGateway, answering, echo


@pytest.mark.parametrize("build", (PANIC, PANIC_VALGRIND), ids=lambda build: build.name)
def test_a_panic_comes_back_as_a_status(build: Build) -> None:
    with ScriptedGateway(answering(echo)) as gateway:
        done = build.run("test_panic.c", gateway.url, "r")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "nothing is printed by a panic"
    message = r"a fault in this library, please report it: .*a panic was asked for.* \(src/http/agent\.rs:\d+\)"
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(re.search(message, line) for line in lines), lines
