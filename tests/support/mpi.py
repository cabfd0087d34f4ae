"""Runs the example batch_mpi under an MPI."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from support.builds import C99, MAX_SECONDS, NO_RETRIES, PROGRAMS, ROOT, SHARED, clean_environment, compile_once

EXAMPLES = ROOT / "examples-c"


class Mpi(NamedTuple):
    """An MPI: a name, the folder of its programs with a slash at the end, and options of its mpirun."""

    name: str
    folder: str = ""
    options: Sequence[str] = ()
    flags: Sequence[str] = ()

    def compile(self) -> Path:
        sources = [EXAMPLES / "batch_mpi.c"]
        sources += [path for part in ("batch_parts", "batch_mpi_parts") for path in sorted((EXAMPLES / part).glob("*.c"))]
        headers = [path for part in ("batch_parts", "batch_mpi_parts") for path in (EXAMPLES / part).glob("*.h")]
        command = [f"{self.folder}mpicc", *C99[1:], *self.flags, *map(str, sources), *SHARED.link]
        return compile_once(PROGRAMS / self.name / "batch_mpi", command, [*sources, *headers])

    def command(self, ranks: int, *arguments: object, options: Sequence[str] = ()) -> list[str]:
        """A single rank runs without mpirun."""
        mpirun = [f"{self.folder}mpirun", "--allow-run-as-root", "--oversubscribe", *self.options, *options]
        command = [str(self.compile()), *map(str, arguments)]
        return command if ranks == 1 else [*mpirun, "-n", str(ranks), *command]

    def run(self, ranks: int, *arguments: object, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(ranks, *arguments), input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=MAX_SECONDS, env=environment(),
        )  # fmt: skip

    @contextlib.contextmanager
    def start(self, ranks: int, *arguments: object) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            self.command(ranks, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(),
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                process.kill()


def environment() -> dict[str, str]:
    """Open MPI does not free all memory."""
    return clean_environment({**NO_RETRIES, "ASAN_OPTIONS": "detect_leaks=0"})


def pid_of_rank(mpirun: int, rank: int) -> int:
    """Returns the process of a rank, a child of mpirun."""
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == mpirun and f"OMPI_COMM_WORLD_RANK={rank}\0" in (process / "environ").read_text():
                    return int(process.name)
        time.sleep(0.01)
    raise AssertionError(f"mpirun has started no rank {rank}")


def namespaces() -> list[str]:
    """Returns the command that runs another in a new network namespace, which is the first of two hosts."""
    command = ["unshare", "--net", "--uts", *(["--map-root-user"] if os.geteuid() != 0 else [])]
    done = subprocess.run([*command, "true"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"this machine forbids network namespaces, which this test needs: {done.stderr}"
    return command
