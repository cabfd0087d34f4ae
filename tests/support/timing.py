"""Repeats checks that measure time."""

import functools
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
ATTEMPTS = 3


def three_attempts(check: Callable[..., Result]) -> Callable[..., Result]:
    """Repeats a failed check at most twice.

    A busy machine is sometimes late; a faulty library is late each time.
    """

    @functools.wraps(check)
    def checked(*arguments: object, **named: object) -> Result:
        for _ in range(ATTEMPTS - 1):
            try:
                return check(*arguments, **named)
            except AssertionError:
                pass
        return check(*arguments, **named)

    return checked
