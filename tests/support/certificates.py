"""Certificates for servers and clients in tests."""

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple, Optional

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority for tests, and its files."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.file = self._write("ca.pem", self.ca.cert_pem)

    def server(self, *names: str, **options: object) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names, **options).configure_cert(context)
        return context

    def client(self, name: str) -> tuple[str, str, str]:
        """Returns the files of a client certificate: the certificate, its key, and both together."""
        issued = self.ca.issue_cert(f"{name}@example.org")
        certificate = self._write(f"{name}.pem", *issued.cert_chain_pems)
        both = self._write(f"{name}-both.pem", issued.private_key_and_cert_chain_pem)
        return certificate, self._write(f"{name}.key", issued.private_key_pem), both

    def _write(self, name: str, *pems: trustme.Blob) -> str:
        file = self.folder / name
        file.write_bytes(b"".join(pem.bytes() for pem in pems))
        return str(file)


class SelfSigned(NamedTuple):
    """The files of a self-signed server certificate and its key."""

    file: str
    key: str

    def server(self, version: Optional[ssl.TLSVersion] = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        if version:
            context.minimum_version = context.maximum_version = version
        return context


def self_signed(
    folder: Path,
    name: str,
    is_ca: bool = True,
    first: datetime.datetime = NOW - DAY,
    last: datetime.datetime = NOW + DAY,
) -> SelfSigned:
    """Creates a self-signed certificate as "openssl req -x509" does: by default one that may sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")])
    try:
        names: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        names = x509.DNSName(name)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), first, last)
    builder = builder.add_extension(x509.SubjectAlternativeName([names]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(is_ca, None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    number = sum(1 for _ in folder.glob("self-signed-*.pem"))
    file, key_file = folder / f"self-signed-{number}.pem", folder / f"self-signed-{number}.key"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*form))
    return SelfSigned(str(file), str(key_file))
