"""Call MLflow AI gateways from Python: one file, without dependencies. docs/bindings.md explains it."""

from __future__ import annotations

import json
import os
import select
from collections.abc import Generator, Iterable, Iterator
from ctypes import CDLL, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint64, c_void_p, string_at
from typing import Any, NamedTuple

TEXT, REASONING, REFUSAL, TOOL_CALL, FINISH, USAGE, OTHER = range(1, 8)  # kinds of events; later versions may add some
_OK, _PENDING, _QUEUE_END, _SEND, _STREAM, _EMBED = 0, 101, 102, 1, 2, 3
_TYPES = {"p": c_void_p, "s": c_char_p, "n": c_size_t, "i": c_int32, "l": c_int64, "u": c_uint64}
_FUNCTIONS = {  # by the type of the result: names, and the types of the arguments
    "": "destroy:p error_destroy:p request_destroy:p queue_close:p queue_destroy:p completion_destroy:p",
    "p": "completion_event:p completion_response:p completion_embeddings:p completion_error:p embeddings_data:p"
    " error_body:pp event_text:pp response_text:pnp response_message_json:pnp",  # not "s", which ends at a NUL byte
    "s": "error_message:p error_gateway_code:p response_finish_reason:pn",
    "n": "event_candidate:p embeddings_count:p embeddings_dimension:p",
    "l": "error_retry_after_ms:p response_tokens:pi",
    "i": "error_status:p error_http_status:p error_is_retryable:p event_kind:p create:sspp set_option:pssp"
    " request_create:pp request_set_prompt:psnp request_add_message_json:psnp request_add_input:psnp"
    " request_set_param_json:pssnp queue_create:ppp queue_fd:ppp queue_submit:ppiup queue_next:plpp",
}
_library = CDLL(os.environ.get("MLFLOW_AI_GATEWAY_LIB") or "libmlflow_ai_gateway.so.0.2")
if _library.mlflow_gateway_version_number() // 1000 != 2:
    raise ImportError("this file needs version 0.2 of libmlflow_ai_gateway; set MLFLOW_AI_GATEWAY_LIB to its path")
_c: dict[str, Any] = {}
for _result, _functions in _FUNCTIONS.items():
    for _name, _arguments in (function.split(":") for function in _functions.split()):
        _c[_name] = _library[f"mlflow_gateway_{_name}"]
        _c[_name].restype, _c[_name].argtypes = _TYPES.get(_result), [_TYPES[code] for code in _arguments]


class GatewayError(Exception):
    """Why a call failed. Its text is one line: what failed, why, and what to do."""

    def __init__(self, error: Any, response: Response | None = None) -> None:
        super().__init__(_c["error_message"](error).decode())
        after, code = _c["error_retry_after_ms"](error), _c["error_gateway_code"](error)
        self.status: int = _c["error_status"](error)
        self.http_status: int = _c["error_http_status"](error)  # 0 without a response
        self.code: str | None = code and code.decode()  # of the gateway or the model provider
        self.retry_after: float | None = after / 1000 if after >= 0 else None  # seconds
        self.is_retryable = bool(_c["error_is_retryable"](error))
        self.body = _string("error_body", error)
        self.response = response  # what a stream had received


class Event(NamedTuple):
    """A part of a stream. `text` is a fragment of text, reasoning or a tool call's arguments, or the finish reason."""

    kind: int
    text: str | None
    candidate: int


class Response(NamedTuple):
    """The first candidate. `message` is all of it, tool calls included: append it to continue the conversation."""

    text: str | None
    finish_reason: str | None
    message: dict[str, Any]
    tokens: tuple[int, int]  # input and output; -1 if not reported


class Client:
    """A route of a gateway. Threads may share it. Options are those of docs/options.md, params the model's."""

    def __init__(self, route: str | None = None, uri: str | None = None, **options: object) -> None:
        self._gateway = _Object("destroy")
        _call("create", route, uri, byref(self._gateway))
        for name, value in options.items():
            _call("set_option", self._gateway, name, str(value).lower() if isinstance(value, bool) else str(value))

    def complete(self, prompt: str, **params: object) -> str | None:
        """Return the text of the response to a prompt, or None if it has none."""
        (response,) = self._run(_SEND, "request_set_prompt", [prompt], params)
        return response.text  # type: ignore[no-any-return]

    def chat(self, messages: Iterable[dict[str, Any]], **params: object) -> Response:
        """Return the response to messages."""
        (response,) = self._run(_SEND, "request_add_message_json", map(json.dumps, messages), params)
        return response  # type: ignore[no-any-return]

    def stream(self, messages: Iterable[dict[str, Any]], **params: object) -> Generator[Event, None, Response]:
        """Yield the events of the response to messages, and return the response. An incomplete one is an error."""
        for item in self._run(_STREAM, "request_add_message_json", map(json.dumps, messages), params):
            if isinstance(item, Event):
                yield item
        return item  # type: ignore[no-any-return]

    def embed(self, inputs: Iterable[str], **params: object) -> list[list[float]]:
        """Return an embedding for each input."""
        (embeddings,) = self._run(_EMBED, "request_add_input", inputs, params)
        return embeddings  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the use of the gateway. Calls that run continue."""
        self._gateway = _Object("destroy")  # the other one is destroyed when no function uses it any more

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, how: int, add: str, contents: Iterable[str], params: dict[str, object]) -> Iterator[Any]:
        """Yield what the queue of a request returns. Anything can interrupt the wait for the queue's descriptor."""
        request, queue, completion = (_Object(f"{kind}_destroy") for kind in ("request", "queue", "completion"))
        fd, poll = c_int(), select.poll()
        _call("request_create", byref(request))
        for text in contents:
            _call(add, request, data := text.encode(), len(data))
        for name, value in params.items():
            _call("request_set_param_json", request, name, data := json.dumps(value).encode(), len(data))
        _call("queue_create", self._gateway, byref(queue))
        try:
            _call("queue_submit", queue, request, how, 0)
            _c["queue_close"](queue)
            _call("queue_fd", queue, byref(fd))
            poll.register(fd.value, select.POLLIN)
            while (status := _call("queue_next", queue, 0, byref(completion))) != _QUEUE_END:
                if status == _PENDING:
                    poll.poll()
                    continue
                yield _item(completion)
                completion.destroy()
        finally:
            queue.destroy()  # also if the traceback of an exception still refers to it


class _Object(c_void_p):
    """Receives an object of the library, and destroys it when nothing refers to it any more."""

    def __init__(self, destroy: str) -> None:
        super().__init__()
        self._destroy = _c[destroy]

    def destroy(self) -> None:
        address, self.value = self.value, None
        self._destroy(address)

    __del__ = destroy


def _call(function: str, *arguments: object) -> int:
    """Call a function that may fail. A str is passed with a NUL byte at its end, and so must not contain one."""
    if any(isinstance(argument, str) and "\0" in argument for argument in arguments):
        raise ValueError("a name or a value contains a NUL byte")
    error = c_void_p()
    try:
        status: int = _c[function](*(arg.encode() if isinstance(arg, str) else arg for arg in arguments), byref(error))
        if error:
            raise GatewayError(error)
        return status
    finally:
        _c["error_destroy"](error)


def _string(function: str, *arguments: object) -> str | None:
    """Return a string by its length."""
    length = c_size_t()
    address = _c[function](*arguments, byref(length))
    return None if address is None else string_at(address, length.value).decode(errors="replace")


def _item(completion: c_void_p) -> Any:
    """Return the event, the embeddings or the response of a completion, or raise its error."""
    if event := _c["completion_event"](completion):
        return Event(_c["event_kind"](event), _string("event_text", event), _c["event_candidate"](event))
    if embeddings := _c["completion_embeddings"](completion):
        shape = _c["embeddings_count"](embeddings), _c["embeddings_dimension"](embeddings)
        floats = string_at(_c["embeddings_data"](embeddings), shape[0] * shape[1] * 4)
        return memoryview(floats).cast("f", shape).tolist()
    result = None
    if response := _c["completion_response"](completion):
        reason, message = _c["response_finish_reason"](response, 0), _string("response_message_json", response, 0)
        text, tokens = _string("response_text", response, 0), [_c["response_tokens"](response, kind) for kind in (1, 2)]
        result = Response(text, reason and reason.decode(), json.loads(message or "{}"), (tokens[0], tokens[1]))
    if error := _c["completion_error"](completion):
        raise GatewayError(error, result)
    return result
