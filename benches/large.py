"""Measures large responses: a long stream of events, and many embeddings."""

import math
from typing import NamedTuple

import responses
import counts
import locations
import peers
import rounds
import server
from responses import Responses, Expected
from common import BenchFailed, log
from peers import CURL_AND_CJSON, LIBCURL, OUR_LIBRARY, OURS, Peer, compile_c
from rounds import Measured, Run

CALLBACK = "this library, with a callback"
LARGE = ("large.c", "summary.c")
STREAM_OURS = ("stream_ours.c", "summary.c", "ours.c")


class Growth(NamedTuple):
    """Growth of resident memory from event FEW_EVENTS to the last event, and the length of the text."""

    resident_kib: int
    text_kib: int


class Large(NamedTuple):
    """Results of the large responses. Dictionaries are keyed by the name of the peer."""

    responses: Responses
    streams: Measured
    instructions: dict[str, float]
    """User instructions per event."""
    peak_kib: dict[str, int]
    """Peak resident memory with embeddings as JSON numbers."""
    embeddings: Measured
    peak_kib_of_base64: dict[str, int]
    base64: Measured
    gathered: Growth
    not_gathered: Growth


def measure() -> Large:
    """Measures everything. Call it inside `on_one_core`."""
    log("generating the large responses")
    generated = responses.generate()
    stream_peers, embeddings_peers = _build_stream_peers(), _build_embeddings_peers()
    with server.running(locations.of(generated)) as gateway:
        for peer in stream_peers:
            _check(peer, gateway.url, generated.stream_summary)
        embeddings = generated.embeddings_summary
        base64_url = gateway.url + responses.BASE64_PREFIX
        ours = embeddings_peers[-1]
        memory = compile_c("bench_stream_memory", STREAM_OURS, OUR_LIBRARY)
        return Large(
            responses=generated,
            streams=_measure("a stream", stream_peers, gateway.url),
            instructions={peer.name: _instructions(peer, gateway.url) for peer in stream_peers},
            peak_kib={peer.name: _check(peer, gateway.url, embeddings)["peak_kib"] for peer in embeddings_peers},
            embeddings=_measure("embeddings", embeddings_peers, gateway.url),
            peak_kib_of_base64={ours.name: _check(ours, base64_url, embeddings)["peak_kib"]},
            base64=_measure("embeddings as base64", (ours,), base64_url),
            gathered=_growth(memory, gateway.url, "true"),
            not_gathered=_growth(memory, gateway.url, "false"),
        )


def _build_stream_peers() -> tuple[Peer, ...]:
    libcurl = compile_c("bench_stream_libcurl", [*LARGE, "http_client.c"], CURL_AND_CJSON)
    ours, callback = (
        compile_c(name, ["large.c", *STREAM_OURS], OUR_LIBRARY) for name in ("bench_stream_ours", "bench_callback_ours")
    )
    return Peer(LIBCURL, (libcurl,)), Peer(OURS, (ours,)), Peer(CALLBACK, (callback,))


def _build_embeddings_peers() -> tuple[Peer, ...]:
    libcurl = compile_c("bench_embed_libcurl", [*LARGE, "http_client.c"], CURL_AND_CJSON)
    return Peer(LIBCURL, (libcurl,)), Peer(OURS, (compile_c("bench_embed_ours", [*LARGE, "ours.c"], OUR_LIBRARY),))


def _check(peer: Peer, url: str, expected: Expected) -> dict[str, int]:
    """Compares the summary that a peer prints with the expected one, and returns it."""
    summary = peers.run([*peer.command, url, "1"])
    for name, value in expected.items():
        found = summary[name]
        is_right = math.isclose(found, value, abs_tol=1e-4) if isinstance(value, float) else found == value
        if not is_right:
            raise BenchFailed(f"checking {peer.name}", f"{name} is {found}, expected {value}", peers.ADVICE)
    return summary


def _measure(label: str, measured_peers: tuple[Peer, ...], url: str) -> Measured:
    return rounds.measure(label, [Run(peer, 1) for peer in measured_peers], url, first_calls=1)


def _instructions(peer: Peer, url: str) -> float:
    log(f"counting instructions of a stream: {peer.name}")
    return counts.instructions(peer, url + responses.SHORT_PREFIX, 0, 1) / responses.FEW_EVENTS


def _growth(program: str, url: str, gather: str) -> Growth:
    result = peers.run([program, url, gather, str(responses.FEW_EVENTS)])
    before, after = result["resident_kib"]
    return Growth(after - before, result["text_bytes"] // 1024)
