"""A pytest plugin for tests of an emulated machine: what runs there, and what the emulator cannot do.

tests/cross/run loads it. Tests that need real servers, valgrind, a sanitizer or an idle machine are not run there.
"""

import os

import pytest
from differences import DIFFERENCES, NATIVE_ONLY, NOT_RUN


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    native = [item for item in items if item.path.name in NATIVE_ONLY]
    config.hook.pytest_deselected(items=native)
    items[:] = [item for item in items if item not in native]
    for item in items:
        reason = DIFFERENCES.get(f"{item.path.name}::{item.name.split('[')[0]}")
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, run=reason not in NOT_RUN))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line: what was run."""
    if hasattr(config, "workerinput"):
        return
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    passed, failed, errors, listed, unexpected = (
        len(reporter.stats.get(name, ())) for name in ("passed", "failed", "error", "xfailed", "xpassed")
    )
    reporter.write_line(
        f"{os.environ['TEST_MACHINE']}: {os.environ['UNIT_TESTS']} unit tests passed; C programs: {passed} tests "
        f"passed, {failed + errors} failed, {listed} failed or were not run as tests/cross/differences.py explains"
        + (f", {unexpected} passed although they are listed there" if unexpected else "")
    )
