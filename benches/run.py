#!/usr/bin/env python3
"""`make bench`: measures the library beside other clients of the same server, and writes RESULTS.md and results.svg.

    python3 benches/run.py           all but the million calls; takes a few minutes
    python3 benches/run.py --soak    the million calls, which are added to RESULTS.md
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import chart  # noqa: E402
import counts  # noqa: E402
import large  # noqa: E402
import machine  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
import server  # noqa: E402
import targets  # noqa: E402
import tools  # noqa: E402
from common import BenchFailed, say  # noqa: E402
from gateways.install import InstallFailed  # noqa: E402
from gateways.processes import ServerFailed  # noqa: E402
from results import Results  # noqa: E402
from rounds import Run, measure  # noqa: E402

RESULTS = ROOT / "benches" / "RESULTS.md"
PICTURE = ROOT / "benches" / "results.svg"
THREADS = (1, 8, 64)
EARLY_CALLS = 10_000
ALL_CALLS = 1_000_000


def main() -> int:
    """Measures; returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the library beside other clients of the same server.")
    parser.add_argument("--soak", action="store_true", help="make a million calls, and nothing else")
    wants_soak = parser.parse_args().soak
    try:
        tools.install()
        peers.copy_library()
        if wants_soak:
            soak()
        else:
            compare()
    except (BenchFailed, InstallFailed, ServerFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: all that was started has been stopped.", file=sys.stderr)
        return 130
    return 0


def compare() -> None:
    """All but the million calls."""
    say("building the peers")
    in_c = bare, libcurl, ours = peers.build_bare(), peers.build_libcurl(), peers.build_ours()
    others = peers.build_go(), peers.build_ruby(), peers.build_mlflow()
    with server.running() as gateway:
        threads = measure("threads", [Run(peer, count) for count in THREADS for peer in in_c], gateway.url)
    with on_one_core(), server.running() as gateway:
        plain = measure("one thread", [Run(peer, 1) for peer in (*in_c, *others)], gateway.url)
        tls = measure("TLS", [Run(libcurl, 1), Run(ours, 1)], gateway.tls_url, gateway.ca_file)
        say("counting instructions and system calls")
        results = Results(
            machine=machine.describe(),
            plain=plain,
            threads=threads,
            tls=tls,
            instructions={peer.name: counts.instructions(peer, gateway.url) for peer in in_c},
            system_calls={peer.name: counts.system_calls(peer, gateway.url) for peer in in_c},
            named_host=counts.system_calls(ours, gateway.named_url),
            start=counts.start(gateway.url),
            library_bytes=peers.LIBRARY.stat().st_size,
            large=large.measure(),
        )
    RESULTS.write_text(report.whole(results), encoding="utf-8")
    bars = sorted(((name, taken.median) for (name, _), taken in plain.items()), key=lambda bar: bar[1])
    PICTURE.write_text(chart.svg("Microseconds a call", bars, peers.OURS), encoding="utf-8")
    print(report.times(plain), end="")
    show(targets.of(results))


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Keeps what is started meanwhile on one core.

    A server and a client that wait for each other in turn take up to five times as long on two cores, each of which
    falls asleep between, as on one. Left to itself the system moves them now here, now there, and the times tell that.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def soak() -> None:
    """A million calls on one handle."""
    program = peers.build_soak()
    with on_one_core(), server.running() as gateway:
        say(f"{ALL_CALLS:,} calls")
        measured = peers.run([program, gateway.url, str(EARLY_CALLS), str(ALL_CALLS)])
    rows = targets.of_soak(measured, EARLY_CALLS, ALL_CALLS)
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    RESULTS.write_text(report.with_soak(before, rows), encoding="utf-8")
    show(rows)


def show(rows: list[targets.Row]) -> None:
    """Prints which targets are met, and where all the rest is."""
    for what, measured, target, met in rows:
        print(f"{met:8}{what}: {measured} ({target})")
    print(f"More is in {RESULTS.relative_to(ROOT)}.")


if __name__ == "__main__":
    sys.exit(main())
