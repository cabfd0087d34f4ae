"""Runs a command, and ends it and all its descendants when the test that started it ends.

    supervisor.py FOLDER COMMAND...

A server started by a test must end with that test, even if the test is killed and cannot clean up. So this process
runs between them. Its standard input is a pipe whose other end only the test has open. When the test ends, in whatever
way, the kernel closes that end, and this process reads the end of file. Then it ends the command and all its
descendants, and removes FOLDER, which contains the command's files. It exits with the status of the command.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Optional

ON_LINUX = sys.platform.startswith("linux")
C_LIBRARY = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SECONDS_TO_END_BY_ITSELF = 3.0
SECONDS_TO_BE_KILLED = 10.0
NOT_RUN = 127
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervise(folder: str, command: list[str]) -> int:
    """Runs the command until it ends or the pipe closes, and returns its exit status as a shell reports it."""
    try:
        return _run(command)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> int:
    wake = _wake_on_signals()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphaned descendants become children of this process
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=_die_with_supervisor
        )
    except OSError as error:
        print(f"cannot be run: {error}", file=sys.stderr)
        return NOT_RUN
    status = None
    while status is None:
        readable, _, _ = select.select([sys.stdin.fileno(), wake], [], [])
        if sys.stdin.fileno() in readable or any(number in ENDING for number in os.read(wake, 64)):
            break
        status = _reap(process.pid)
    ended = _end_all(process.pid)
    status = ended if status is None else status
    return 128 + signal.SIGKILL if status is None else status


def _wake_on_signals() -> int:
    """Returns a descriptor from which the numbers of received signals can be read."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGCHLD, *ENDING):
        signal.signal(number, lambda *_: None)
    return read_end


def _die_with_supervisor() -> None:
    """If the supervisor itself is killed, the kernel kills at least the command."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if ON_LINUX:
        C_LIBRARY.prctl(option, value, 0, 0, 0)


def _reap(pid: int) -> Optional[int]:
    """Reaps all ended children. Returns the status of this one if it was among them."""
    status = None
    while True:
        try:
            ended, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return status
        if ended == 0:
            return status
        if ended == pid:
            status = os.WEXITSTATUS(code) if os.WIFEXITED(code) else 128 + os.WTERMSIG(code)


def _end_all(pid: int) -> Optional[int]:
    """Terminates all processes, then kills those that remain."""
    status = None
    for number, seconds in ((signal.SIGTERM, SECONDS_TO_END_BY_ITSELF), (signal.SIGKILL, SECONDS_TO_BE_KILLED)):
        signalled: set[int] = set()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended = _reap(pid)
            status = status if ended is None else ended
            remaining = _descendants() if ON_LINUX else _group(pid)
            if not remaining:
                return status
            for one in remaining - signalled:
                _send(one, number)
            signalled |= remaining
            time.sleep(0.02)
    return status


def _descendants() -> set[int]:
    """All descendants of this process, including those in their own sessions.

    Zombies count: one may be a process whose main thread has ended before its other threads, and it still has its
    children. The others disappear when their parent, or after its end this process, reaps them.
    """
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                    parent = file.read().rpartition(")")[2].split()[1]
            except (OSError, IndexError):  # the process has ended
                continue
            children.setdefault(int(parent), []).append(int(entry))
    found: set[int] = set()
    to_visit = [os.getpid()]
    while to_visit:
        below = children.get(to_visit.pop(), [])
        found.update(below)
        to_visit.extend(below)
    return found


def _group(pid: int) -> set[int]:
    """Without /proc: the process group of the command, as a negative number."""
    return {-pid} if _send(-pid, 0) else set()


def _send(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1], sys.argv[2:]))
