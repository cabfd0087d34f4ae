"""More than one chance for what is measured by the clock."""

import functools
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
CHANCES = 3


def three_attempts(check: Callable[..., Result]) -> Callable[..., Result]:
    """Makes a check again that has failed, twice at most.

    A machine that is busy with other things is late now and then. A library that is late is so each time.
    """

    @functools.wraps(check)
    def checked(*arguments: object, **named: object) -> Result:
        for _ in range(CHANCES - 1):
            try:
                return check(*arguments, **named)
            except AssertionError:
                pass
        return check(*arguments, **named)

    return checked
