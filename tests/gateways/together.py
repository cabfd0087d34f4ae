"""Starts several servers in parallel, because each takes seconds."""

import contextlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, TypeVar

from .processes import Server

Key = TypeVar("Key")


@contextlib.contextmanager
def started(starts: Mapping[Key, Callable[[], Server]]) -> Iterator[dict[Key, Server]]:
    """The running servers by the keys of `starts`. All end with the `with`, or if one of them fails to start."""
    with contextlib.ExitStack() as stack:
        with ThreadPoolExecutor(len(starts)) as pool:
            futures = {key: pool.submit(start) for key, start in starts.items()}
        for future in futures.values():
            if future.exception() is None:
                stack.callback(future.result().stop)
        yield {key: future.result() for key, future in futures.items()}
