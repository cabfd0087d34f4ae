"""Two hosts on this machine: network namespaces with a cable between them, each with a host name of its own.

    unshare --net --uts python3 tests/support/two_hosts.py COMMAND...

Makes this namespace the first host and runs the command there, in which {hosts} stands for the addresses of both hosts,
{agent} for a program that runs a command on the second host as `ssh` does, and {uri} for the URI of a gateway on the
first host. Prints the number of requests by the address that sent them. Everything ends with this process.
"""

import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.scripted_gateway import Handler, Request, ScriptedGateway, echo, one_route  # noqa: E402

FIRST, SECOND = "192.0.2.1", "192.0.2.2"
INSIDE = ("nsenter", "--net", "--uts", "--target")


def run(*command: str) -> None:
    subprocess.run(command, check=True)


@contextlib.contextmanager
def second_host() -> Iterator[int]:
    """Yields the process whose namespaces are the second host."""
    with subprocess.Popen(
        ["unshare", "--net", "--uts", "--kill-child", "sh", "-c", "echo ready; cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == b"ready\n"
        pid = str(process.pid)
        run("hostname", "first")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", pid)
        run("ip", "address", "add", f"{FIRST}/24", "dev", "cable")
        run("ip", "link", "set", "cable", "up")
        run(*INSIDE, pid, "hostname", "second")
        run(*INSIDE, pid, "ip", "link", "set", "lo", "up")
        run(*INSIDE, pid, "ip", "address", "add", f"{SECOND}/24", "dev", "cable")
        run(*INSIDE, pid, "ip", "link", "set", "cable", "up")
        yield process.pid


def write_agent(path: str, host: int) -> str:
    """Writes the program, which is called with a host and a command."""
    with open(path, "w") as file:
        file.write(f'#!/bin/sh\nshift\nexec {" ".join(INSIDE)} {host} sh -c "$*"\n')
    os.chmod(path, 0o755)
    return path


def main() -> int:
    senders: collections.Counter[str] = collections.Counter()

    def count(handler: Handler, request: Request) -> None:
        senders[handler.client_address[0]] += 1
        echo(handler, request)

    with second_host() as host, tempfile.TemporaryDirectory() as folder:
        agent = write_agent(f"{folder}/agent", host)
        with ScriptedGateway(one_route(count), host=FIRST) as gateway:
            values = {"hosts": f"{FIRST},{SECOND}", "agent": agent, "uri": gateway.url}
            done = subprocess.run([argument.format(**values) for argument in sys.argv[1:]])
    print(json.dumps(senders))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
