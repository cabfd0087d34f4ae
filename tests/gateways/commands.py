"""Runs the commands that an installation consists of, shows that they are alive, and keeps what they say."""

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

SECONDS_BETWEEN_SIGNS_OF_LIFE = 10
LAST_LINES = 20


class CommandFailed(RuntimeError):
    """A command that could not be run, or ended with another status than 0. `output` is all that it said."""

    def __init__(self, command: list[str], how: str, output: str) -> None:
        last_words = "\n".join(output.splitlines()[-LAST_LINES:])
        super().__init__(f"'{' '.join(command)}' {how}:\n{last_words}")
        self.output = output


def run(step: str, command: list[str], lock: int) -> None:
    """Runs a command to its end.

    On a terminal the command's own progress is passed through. Elsewhere, as in a CI log, a line is printed now and
    then. `lock` is a file descriptor that the command inherits.
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

    said = b""
    next_sign_of_life = started + SECONDS_BETWEEN_SIGNS_OF_LIFE
    try:
        while True:
            wait = max(0.0, next_sign_of_life - time.monotonic())
            if select.select([read_end], [], [], wait)[0]:
                data = _read(read_end)
                if not data:
                    break
                said += data
                if on_terminal:
                    os.write(sys.stderr.fileno(), data)
            else:
                next_sign_of_life += SECONDS_BETWEEN_SIGNS_OF_LIFE
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
        raise CommandFailed(command, f"ended with status {status}", _plain(said))


def _terminal() -> tuple[int, int]:
    """A terminal of our own between the command and the user's, as wide as that: so we can read along."""
    read_end, write_end = pty.openpty()
    size = fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
    fcntl.ioctl(write_end, termios.TIOCSWINSZ, size)
    return read_end, write_end


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux's way to say that nobody has the other side of the terminal open any more
        return b""


def _plain(said: bytes) -> str:
    """What the command said, without the colours and the redrawn progress bars."""
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode(errors="replace")).replace("\r\n", "\n")
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.splitlines() if line.strip())
