"""Tests of the Python binding. tests/test_bindings.py starts the gateways that the variables name, and runs it."""

import collections
import gc
import itertools
import json
import operator
import os
import signal
import threading
import time
import unittest
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlflow_gateway import FINISH, TEXT, TOOL_CALL, Client, GatewayError

INVALID_ARGUMENT, RATE_LIMITED, STREAM_TRUNCATED = 1, 44, 63
HELLO = [{"role": "user", "content": "Hello"}]
SLOW = [{"role": "user", "content": "slow"}]
WEATHER = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
SECONDS = 20
"""A generous limit: a call that was not interrupted would last 5 minutes."""


def client(gateway: str, route: str = "chat", **options: object) -> Client:
    return Client(route, os.environ[f"{gateway}_URL"], **options)


def open_descriptors_and_threads() -> tuple[int, int]:
    return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


def eventually(condition: Callable[[], bool]) -> bool:
    """Waits: a thread that was joined is listed until the system has removed it."""
    end = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


class Calls(unittest.TestCase):
    def test_complete_returns_the_text(self) -> None:
        with client("GATEWAY", "completions") as gateway:
            self.assertEqual(gateway.complete("Hello"), "Hello ...")

    def test_parameters_and_any_text_arrive(self) -> None:
        params = {"temperature": 0.5, "max_tokens": 16, "logprobs": True, "user": "Zoë", "stop": ["\n", "\0"]}
        for text in ("", "naïve 😀", "with a NUL: \0."):
            with self.subTest(text), client("ECHO") as gateway:
                body = json.loads(gateway.complete(text, **params) or "")["body"]
                self.assertEqual(body.pop("messages"), [{"role": "user", "content": text}])
                self.assertEqual(body, params)

    def test_text_with_a_nul_byte_is_returned_whole(self) -> None:
        with client("MODEL") as gateway:
            self.assertEqual(gateway.complete("a\0b"), "echo: a\0b")

    def test_chat_continues_after_a_tool_call(self) -> None:
        with client("GATEWAY") as gateway:
            messages: list[dict[str, Any]] = [*HELLO]
            response = gateway.chat(messages, tools=WEATHER)
            self.assertIsNone(response.text)
            self.assertEqual((response.finish_reason, response.tokens), ("tool_calls", (3, 5)))
            (call,) = response.message["tool_calls"]
            self.assertEqual(json.loads(call["function"]["arguments"]), {"city": "Paris"})
            messages += [response.message, {"role": "tool", "tool_call_id": call["id"], "content": "12 degrees"}]
            self.assertEqual(gateway.chat(messages, tools=WEATHER).text, 'You wrote "12 degrees".')
            self.assertIsNone(gateway.complete("Hello", tools=WEATHER))

    def test_stream_yields_events_and_returns_the_response(self) -> None:
        with client("GATEWAY") as gateway:
            stream, events = gateway.stream(HELLO, n=2), []
            while True:
                try:
                    events.append(next(stream))
                except StopIteration as end:
                    response = end.value
                    break
        strings = [event.text for event in events if event.kind == TEXT and event.candidate == 1]
        self.assertEqual(strings, ["You ", 'wrote "Hello".'])
        self.assertEqual([event.text for event in events if event.kind == FINISH], ["stop", "stop"])
        self.assertEqual((response.text, response.tokens), ('You wrote "Hello".', (3, 5)))

    def test_stream_of_a_tool_call(self) -> None:
        with client("GATEWAY") as gateway:
            events = list(gateway.stream(HELLO, tools=WEATHER))
        arguments = "".join(event.text or "" for event in events if event.kind == TOOL_CALL)
        self.assertEqual(json.loads(arguments), {"city": "Paris"})

    def test_embed_returns_an_embedding_for_each_input(self) -> None:
        with client("GATEWAY", "embeddings") as gateway:
            self.assertEqual(gateway.embed(["a", "bb"]), [[1, 0.5, 0.25], [2, 0.5, 0.25]])

    def test_threads_share_a_client(self) -> None:
        with client("MODEL") as gateway, ThreadPoolExecutor(8) as threads:
            prompts = [f"prompt {number}" for number in range(64)]
            self.assertEqual(list(threads.map(gateway.complete, prompts)), [f"echo: {prompt}" for prompt in prompts])

    def test_forked_child_uses_the_client(self) -> None:
        with client("MODEL") as gateway:
            self.assertEqual(gateway.complete("parent"), "echo: parent")
            child = os.fork()
            if child == 0:
                os._exit(0 if gateway.complete("child") == "echo: child" else 1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.assertEqual(gateway.complete("parent"), "echo: parent")


class Errors(unittest.TestCase):
    def test_refusal_has_the_details_of_the_response(self) -> None:
        with client("REFUSING") as gateway, self.assertRaises(GatewayError) as raised:
            gateway.chat(HELLO)
        error = raised.exception
        self.assertEqual((error.status, error.http_status, error.code), (RATE_LIMITED, 429, "rate_limit_exceeded"))
        self.assertEqual((error.retry_after, error.is_retryable, error.response), (2.0, True, None))
        self.assertEqual(json.loads(error.body or "")["error"]["message"], "slow down")
        self.assertRegex(str(error), r"^POST http://.*: .*429.*slow down")

    def test_every_function_raises_a_refusal(self) -> None:
        with client("REFUSING") as gateway:
            for call in (lambda: gateway.complete("Hello"), lambda: list(gateway.stream(HELLO))):
                with self.assertRaisesRegex(GatewayError, "slow down"):
                    call()
        with client("REFUSING", "embeddings") as gateway, self.assertRaisesRegex(GatewayError, "slow down"):
            gateway.embed(["a"])

    def test_cut_stream_is_an_error_with_what_was_received(self) -> None:
        received = ""
        with client("MODEL") as gateway, self.assertRaises(GatewayError) as raised:
            for event in gateway.stream([{"role": "user", "content": "broken"}]):
                received += event.text or ""
        error = raised.exception
        self.assertEqual((error.status, error.http_status), (STREAM_TRUNCATED, 200))
        self.assertEqual(received, "echo: broken")
        assert error.response is not None
        self.assertEqual((error.response.text, error.response.finish_reason), ("echo: broken", None))

    def test_wrong_arguments_are_errors(self) -> None:
        with self.assertRaisesRegex(GatewayError, "timeout_ms"):
            client("GATEWAY", timeout_ms="soon")
        with self.assertRaisesRegex(ValueError, "NUL"):
            client("GATEWAY", "chat\0")
        with client("GATEWAY") as gateway, self.assertRaisesRegex(GatewayError, "temperature"):
            gateway.chat(HELLO, temperature=float("nan"))

    def test_use_after_close_is_an_error(self) -> None:
        gateway = client("GATEWAY")
        gateway.close()
        gateway.close()
        with self.assertRaises(GatewayError) as raised:
            gateway.chat(HELLO)
        self.assertEqual(raised.exception.status, INVALID_ARGUMENT)


class Interruptions(unittest.TestCase):
    def interrupt(self, call: Callable[[], object], after_seconds: float = 0.2) -> None:
        """Makes a call, and interrupts it as Ctrl-C does."""
        timer = threading.Timer(after_seconds, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))
        started = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            timer.start()
            call()
        timer.join()
        self.assertLess(time.monotonic() - started, SECONDS)

    def test_control_c_ends_each_call(self) -> None:
        with client("STALLING") as gateway:
            self.interrupt(lambda: gateway.complete("Hello"))
            self.interrupt(lambda: gateway.chat(HELLO))
            self.interrupt(lambda: list(gateway.stream(HELLO)))
        with client("STALLING", "embeddings") as gateway:
            self.interrupt(lambda: gateway.embed(["a"]))
        with client("MODEL") as gateway:
            self.interrupt(lambda: [None for _ in gateway.stream(SLOW)])

    def test_control_c_is_never_lost_in_a_stream_without_pauses(self) -> None:
        """Python discards an exception that a signal handler raises within a finalizer."""
        end = time.monotonic() + SECONDS
        with client("FAST") as gateway:
            for _ in range(20):
                events = itertools.takewhile(lambda _: time.monotonic() < end, gateway.stream(HELLO))
                self.interrupt(lambda events=events: collections.deque(events, 0), 0.03)  # type: ignore[misc]

    def test_control_c_ends_a_pause_before_a_retry(self) -> None:
        with client("REFUSING", max_retries=10, retry_backoff_ms=60000) as gateway:
            self.interrupt(lambda: gateway.chat(HELLO))

    def test_abandoned_streams_and_interrupted_calls_leave_nothing(self) -> None:
        with client("MODEL") as gateway, client("STALLING") as stalling:
            for repetition in range(5):
                for event in gateway.stream(SLOW):
                    if event.kind == TEXT:
                        break
                self.interrupt(lambda: stalling.chat(HELLO))
                gc.collect()
                if repetition == 0:
                    before = open_descriptors_and_threads()
            self.assertTrue(eventually(lambda: all(map(operator.le, open_descriptors_and_threads(), before))))

    def test_close_does_not_disturb_calls_of_other_threads(self) -> None:
        gateway = client("MODEL")
        stream = gateway.stream(SLOW)
        next(stream)
        gateway.close()
        self.assertIsNotNone(next(stream))
        stream.close()


if __name__ == "__main__":
    unittest.main()
