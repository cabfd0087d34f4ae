"""Reading the output of a program that is still running."""

import os
import subprocess


def read_until(end: bytes, program: subprocess.Popen[bytes], output: int) -> bytes:
    """Reads the output of a running program up to these bytes."""
    errors = b""
    while end not in errors:
        more = os.read(output, 1000)
        assert more, (errors, program.wait())
        errors += more
    return errors
