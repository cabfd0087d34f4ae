"""The operations that each fault is run through, as commands of tests/c/operations.c."""

from faults.responses import path_of

PROMPT = "hi"
LONG_PROMPT = "x" * 8_000_000
"""Larger than the socket buffers of a client and of a server that does not read."""

OPERATION_COMMANDS: dict[str, tuple[str, ...]] = {
    "call": ("call {}",),
    "send": ("prompt {}", "send"),
    "stream": ("message user={}", "stream"),
    "callback": ("message user={}", "callback"),
    "embed": ("input {}", "embed"),
    "list": ("list",),
    "raw": (f"path POST {path_of('raw')}", 'body {{"prompt":"{}"}}', "send"),
    "queue-send": ("prompt {}", "queue-send"),
    "queue-stream": ("message user={}", "queue-stream"),
    "queue-embed": ("input {}", "queue-embed"),
}
"""Operations of a queue have the results of the direct ones."""

