"""The gateway that all peers call: nginx with fixed responses, over HTTP and HTTPS."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tools
from common import BenchFailed, output
from gateways.processes import HOST, Server

ENDPOINT = (
    '{"name":"completions","endpoint_type":"llm/v1/completions","model":{"name":"m","provider":"openai"},'
    '"endpoint_url":"/gateway/completions/invocations","limit":null}'
)
RESPONSE = (
    '{"id":null,"object":"text_completion","created":1700000000,"model":"m","choices":[{"index":0,'
    '"text":" Helsinki, a city of about 690,000 people now.","finish_reason":"length"}],'
    '"usage":{"prompt_tokens":5,"completion_tokens":8,"total_tokens":13}}'
)
CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    ssl_protocols TLSv1.3;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    server {{
        listen {host}:{port};
        listen {host}:{tls_port} ssl;
        location = /health {{ return 200 '{{}}'; }}
        location = /api/2.0/endpoints/completions {{ return 200 '{endpoint}'; }}
        location = /endpoints/completions/invocations {{ return 200 '{response}'; }}
        {locations}
    }}
}}
"""
CERTIFICATES = """
[req]
distinguished_name = name
prompt = no
[name]
CN = benches
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1, DNS:localhost
"""
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Gateway(NamedTuple):
    """URLs of the server: by IP address, by host name, and over TLS. `ca_file` is the certificate to trust."""

    url: str
    named_url: str
    tls_url: str
    ca_file: Path


@contextlib.contextmanager
def running(locations: str = "") -> Iterator[Gateway]:
    """Starts nginx with additional `locations`, and stops it."""
    program = tools.nginx()
    if program is None:
        raise BenchFailed("starting nginx", "nginx is not installed", "install nginx")
    gateways: list[Gateway] = []

    def command(port: int, folder: Path) -> list[str]:
        tls_port = _free_port()
        _make_certificates(folder)
        config = folder / "nginx.conf"
        text = CONFIG.format(
            folder=folder, host=HOST, port=port, tls_port=tls_port, endpoint=ENDPOINT, response=RESPONSE,
            locations=locations,
        )  # fmt: skip
        config.write_text(text)
        urls = f"http://{HOST}:{port}", f"http://localhost:{port}", f"https://{HOST}:{tls_port}"
        gateways.append(Gateway(*urls, folder / "ca.pem"))
        return [program, "-e", "stderr", "-p", str(folder), "-c", str(config)]

    with Server("nginx", command):
        yield gateways[-1]  # the last one: `Server` retries with another port if the port is taken


def _make_certificates(folder: Path) -> None:
    """Creates a certificate authority and a server certificate signed by it."""
    (folder / "openssl.cnf").write_text(CERTIFICATES)
    request = ["req", "-config", "openssl.cnf", *NEW_KEY]
    for command in (
        [*request, "-x509", "-extensions", "ca", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"],
        [*request, "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "openssl.cnf", "-extensions", "server", "-out", "server.pem"],
    ):  # fmt: skip
        output("making the certificates", ["openssl", *command], "see the output of openssl", folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
