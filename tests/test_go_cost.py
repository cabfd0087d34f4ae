"""What a call from Go costs beyond one from C: benches/go_binding measures both in turn, in one process."""

import json
import subprocess
from pathlib import Path

import pytest
from support.builds import ROOT, clean_environment
from support.fast_gateway import FastGateway
from support.go_toolchains import LIBRARY, TOOLCHAINS, Toolchain
from support.timing import three_attempts


@pytest.mark.alone
@pytest.mark.parametrize("toolchain", TOOLCHAINS, ids=lambda toolchain: toolchain.name)
@three_attempts
def test_call_costs_at_most_5_microseconds_more_than_from_c(toolchain: Toolchain, tmp_path: Path) -> None:
    """The 10th percentile leaves out what other processes delay. On a slower machine, the call from C takes longer, too."""
    program = tmp_path / "bench"
    toolchain.run("build", "-o", str(program), ".", folder=ROOT / "benches/go_binding", **LIBRARY)
    with FastGateway().running() as url:
        done = subprocess.run([str(program), url, "20000"], capture_output=True, text=True, env=clean_environment())
        assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    most = max(5, 0.7 * measured["low_c_us"])
    assert measured["low_go_us"] - measured["low_c_us"] <= most, measured
