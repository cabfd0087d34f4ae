"""Certificates for the servers of tests, and for those who ask them."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority of our own, and its files."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.file = self._write("ca.pem", self.ca.cert_pem)

    def server(self, *names: str, **options: object) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, **options).configure_cert(context)
        return context

    def client(self, name: str) -> tuple[str, str, str]:
        """The files of a client's certificate: the certificate, its key, and both together."""
        issued = self.ca.issue_cert(f"{name}@example.org")
        certificate = self._write(f"{name}.pem", *issued.cert_chain_pems)
        both = self._write(f"{name}-both.pem", issued.private_key_and_cert_chain_pem)
        return certificate, self._write(f"{name}.key", issued.private_key_pem), both

    def _write(self, name: str, *pems: trustme.Blob) -> str:
        file = self.folder / name
        file.write_bytes(b"".join(pem.bytes() for pem in pems))
        return str(file)
