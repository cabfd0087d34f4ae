#!/usr/bin/env python3
"""`make bench`: compares the library with other HTTP clients on the same server, and writes RESULTS.md and results.svg.

    python3 benches/run.py           everything except the million calls; takes a few minutes
    python3 benches/run.py --soak    the million calls; adds them to RESULTS.md
    python3 benches/run.py --queue   only the queue, with more rounds and streams of a minute; prints the results
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
import queue_runs  # noqa: E402
import report  # noqa: E402
import report_queue  # noqa: E402
import server  # noqa: E402
import targets  # noqa: E402
import tools  # noqa: E402
from common import BenchFailed, log  # noqa: E402
from gateways.install import InstallFailed  # noqa: E402
from gateways.processes import ServerFailed  # noqa: E402
from results import Results  # noqa: E402
from rounds import Run, measure  # noqa: E402

RESULTS = ROOT / "benches" / "RESULTS.md"
CHART = ROOT / "benches" / "results.svg"
THREADS = (1, 8, 64)
EARLY_CALLS = 10_000
ALL_CALLS = 1_000_000
GO_CALLS = 50_000


def main() -> int:
    """Runs the benchmark and returns the exit status."""
    parser = argparse.ArgumentParser(description="Compare the library with other HTTP clients on the same server.")
    parser.add_argument("--soak", action="store_true", help="only make a million calls")
    parser.add_argument("--queue", action="store_true", help="only measure the queue, for longer")
    arguments = parser.parse_args()
    try:
        tools.install()
        peers.copy_library()
        if arguments.soak:
            soak()
        elif arguments.queue:
            measure_queue()
        else:
            compare()
    except (BenchFailed, InstallFailed, ServerFailed) as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. All servers and peers have been stopped.", file=sys.stderr)
        return 130
    return 0


def compare() -> None:
    """Measures everything except the million calls."""
    log("building the peers")
    c_peers = bare, libcurl, ours = peers.build_bare(), peers.build_libcurl(), peers.build_ours()
    go_binding = peers.build_go_binding()
    others = go_binding, peers.build_go(), peers.build_ruby(), peers.build_ours_in_ruby(), peers.build_mlflow()
    queue = queue_runs.measure(on_one_core, is_long=False)
    with server.running() as gateway:
        threads = measure("threads", [Run(peer, count) for count in THREADS for peer in c_peers], gateway.url)
    with on_one_core(), server.running() as gateway:
        plain = measure("one thread", [Run(peer, 1) for peer in (*c_peers, *others)], gateway.url)
        tls = measure("TLS", [Run(libcurl, 1), Run(ours, 1)], gateway.tls_url, gateway.ca_file)
        log("comparing calls from Go and from C")
        go_cost = peers.run([*go_binding.command, gateway.url, str(GO_CALLS)])
        log("counting instructions and system calls")
        results = Results(
            machine=machine.describe(),
            plain=plain,
            go_cost=go_cost,
            threads=threads,
            tls=tls,
            instructions={peer.name: counts.instructions(peer, gateway.url) for peer in c_peers},
            system_calls={peer.name: counts.system_calls(peer, gateway.url) for peer in c_peers},
            named_host=counts.system_calls(ours, gateway.named_url),
            start=counts.start(gateway.url),
            library_bytes=peers.LIBRARY.stat().st_size,
            large=large.measure(),
            queue=queue,
        )
    RESULTS.write_text(report.report(results), encoding="utf-8")
    bars = sorted(((name, taken.median) for (name, _), taken in plain.items()), key=lambda bar: bar[1])
    CHART.write_text(chart.svg("Microseconds per call", bars, peers.OURS), encoding="utf-8")
    print(report.times(plain), end="")
    show(targets.rows(results))


@contextlib.contextmanager
def on_one_core() -> Iterator[None]:
    """Runs the processes that are started inside the `with` on one core.

    A server and a client that wait for each other in turn take up to five times as long on two cores as on one, because
    each core goes idle in between. If the system assigns the cores, the times vary with its choice.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def soak() -> None:
    """Makes a million calls on one handle."""
    program = peers.build_soak()
    with on_one_core(), server.running() as gateway:
        log(f"{ALL_CALLS:,} calls")
        measured = peers.run([program, gateway.url, str(EARLY_CALLS), str(ALL_CALLS)])
    rows = targets.soak_rows(measured, EARLY_CALLS, ALL_CALLS)
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    RESULTS.write_text(report.with_soak(before, rows), encoding="utf-8")
    show(rows)


def measure_queue() -> None:
    """Measures the queue, and prints the results."""
    results = queue_runs.measure(on_one_core, is_long=True)
    print("\n".join(report_queue.parts(results)))
    print_targets(targets.of_queue(results))


def show(rows: list[targets.Row]) -> None:
    """Prints which targets are met, and where the report is."""
    print_targets(rows)
    print(f"The full report is in {RESULTS.relative_to(ROOT)}.")


def print_targets(rows: list[targets.Row]) -> None:
    """Prints which targets are met."""
    for metric, measured, target, met in rows:
        print(f"{met:8}{metric}: {measured} ({target})")


if __name__ == "__main__":
    sys.exit(main())
