"""Runs the commands of an installation, shows their progress, and keeps their output."""

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

SECONDS_BETWEEN_PROGRESS_LINES = 10
LAST_LINES = 20


class CommandFailed(RuntimeError):
    """A command that could not be run, or ended with a status other than 0. `output` is its whole output."""

    def __init__(self, command: list[str], reason: str, output: str) -> None:
        last_lines = "\n".join(output.splitlines()[-LAST_LINES:])
        super().__init__(f"'{' '.join(command)}' {reason}:\n{last_lines}")
        self.output = output


def run(step: str, command: list[str], lock: int) -> None:
    """Runs a command and waits for its end.

    On a terminal, the command's own output is shown. Elsewhere, as in a CI log, a progress line is printed every few
    seconds. `lock` is a file descriptor that the command inherits.
    """
    on_terminal = sys.stderr.isatty()
    read_end, write_end = _terminal() if on_terminal else os.pipe()
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=write_end, stderr=write_end, pass_fds=(lock,)
        )
    except OSError as error:
        os.close(read_end)
        raise CommandFailed(command, "cannot be run", str(error)) from None
    finally:
        os.close(write_end)

    output = b""
    next_progress_line = started + SECONDS_BETWEEN_PROGRESS_LINES
    try:
        while True:
            wait = max(0.0, next_progress_line - time.monotonic())
            if select.select([read_end], [], [], wait)[0]:
                data = _read(read_end)
                if not data:
                    break
                output += data
                if on_terminal:
                    os.write(sys.stderr.fileno(), data)
            else:
                next_progress_line += SECONDS_BETWEEN_PROGRESS_LINES
                if not on_terminal:
                    print(f"{step}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        os.close(read_end)
    if status != 0:
        raise CommandFailed(command, f"ended with status {status}", _plain_text(output))


def _terminal() -> tuple[int, int]:
    """Creates a pseudo-terminal with the size of the user's, so that the output can be shown and kept."""
    read_end, write_end = pty.openpty()
    size = fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
    fcntl.ioctl(write_end, termios.TIOCSWINSZ, size)
    return read_end, write_end


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports the end of a pseudo-terminal as EIO
        return b""


def _plain_text(output: bytes) -> str:
    """The output without colours and redrawn progress bars."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode(errors="replace")).replace("\r\n", "\n")
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.splitlines() if line.strip())
