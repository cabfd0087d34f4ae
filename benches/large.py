"""Measures large answers: a long stream of events, and many vectors."""

import math
from typing import NamedTuple

import answers
import counts
import locations
import peers
import rounds
import server
from answers import Answers, Expected
from common import BenchFailed, say
from peers import CURL_AND_CJSON, LIBCURL, OUR_LIBRARY, OURS, Peer, compile_c
from rounds import Measured, Run

CALLBACK = "this library, by a callback"
LARGE = ("large.c", "what_came.c")
STREAM_OURS = ("stream_ours.c", "what_came.c", "ours.c")


class Growth(NamedTuple):
    """How much the resident memory grew from event FEW_EVENTS to the last one, and how long the text is."""

    resident_kib: int
    text_kib: int


class Large(NamedTuple):
    """What came of it. Names are those of the peers."""

    answers: Answers
    streams: Measured
    instructions: dict[str, float]
    """User instructions an event."""
    peak_kib: dict[str, int]
    """The most resident memory of a peer that got the vectors."""
    vectors: Measured
    peak_kib_of_base64: dict[str, int]
    base64: Measured
    gathered: Growth
    not_gathered: Growth


def measure() -> Large:
    """Measures all of it. To be called where everything runs on one core."""
    say("making the large answers")
    made = answers.make()
    of_streams, of_vectors = _build_streams(), _build_vectors()
    with server.running(locations.of(made)) as gateway:
        for peer in of_streams:
            _check(peer, gateway.url, made.text)
        base64_url = gateway.url + answers.AS_BASE64
        ours = of_vectors[-1]
        memory = compile_c("bench_stream_memory", STREAM_OURS, OUR_LIBRARY)
        return Large(
            answers=made,
            streams=_measure("a stream", of_streams, gateway.url),
            instructions={peer.name: _instructions(peer, gateway.url) for peer in of_streams},
            peak_kib={peer.name: _check(peer, gateway.url, made.vectors)["peak_kib"] for peer in of_vectors},
            vectors=_measure("vectors", of_vectors, gateway.url),
            peak_kib_of_base64={ours.name: _check(ours, base64_url, made.vectors)["peak_kib"]},
            base64=_measure("vectors as base64", (ours,), base64_url),
            gathered=_growth(memory, gateway.url, "true"),
            not_gathered=_growth(memory, gateway.url, "false"),
        )


def _build_streams() -> tuple[Peer, ...]:
    libcurl = compile_c("bench_stream_libcurl", [*LARGE, "with_curl.c"], CURL_AND_CJSON)
    ours, callback = (
        compile_c(name, ["large.c", *STREAM_OURS], OUR_LIBRARY) for name in ("bench_stream_ours", "bench_callback_ours")
    )
    return Peer(LIBCURL, (libcurl,)), Peer(OURS, (ours,)), Peer(CALLBACK, (callback,))


def _build_vectors() -> tuple[Peer, ...]:
    libcurl = compile_c("bench_embed_libcurl", [*LARGE, "with_curl.c"], CURL_AND_CJSON)
    return Peer(LIBCURL, (libcurl,)), Peer(OURS, (compile_c("bench_embed_ours", [*LARGE, "ours.c"], OUR_LIBRARY),))


def _check(peer: Peer, url: str, expected: Expected) -> dict[str, int]:
    """Makes sure that a peer finds in the answer what was put into it, and returns what it printed."""
    came = peers.run([*peer.command, url, "1"])
    for name, value in expected.items():
        is_right = math.isclose(came[name], value, abs_tol=1e-4) if isinstance(value, float) else came[name] == value
        if not is_right:
            raise BenchFailed(f"checking {peer.name}", f"its {name} is {came[name]}, not {value}", peers.ADVICE)
    return came


def _measure(what: str, those: tuple[Peer, ...], url: str) -> Measured:
    return rounds.measure(what, [Run(peer, 1) for peer in those], url, first_calls=1)


def _instructions(peer: Peer, url: str) -> float:
    say(f"counting instructions of a stream: {peer.name}")
    return counts.instructions(peer, url + answers.SHORT, 0, 1) / answers.FEW_EVENTS


def _growth(program: str, url: str, gather: str) -> Growth:
    came = peers.run([program, url, gather, str(answers.FEW_EVENTS)])
    before, after = came["resident_kib"]
    return Growth(after - before, came["text_bytes"] // 1024)
