"""A private CA, and a door that speaks TLS by its certificates, for tests.

The packages of PostgreSQL and Valkey that the tests have are built without TLS, so a door stands before each: it hands on what
comes through, as a pooler of PostgreSQL or stunnel does.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.state import HOST
from tests.programs import free_port

# What a client of PostgreSQL begins with, and how a server answers who begins otherwise.
TLS_PLEASE = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
ENCRYPT = b"SFATAL\x00C28000\x00Mconnection requires encryption\x00\x00"


class Authority:
    """A CA of its own in a folder: `ca.crt`."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        folder.mkdir(parents=True)
        self.folder, self.file = folder, folder / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"CA in {folder.name}")])
        of_a_ca = x509.BasicConstraints(ca=True, path_length=None)
        self.file.write_bytes(_pem(self._signed(self._name, self._key, of_a_ca)))

    def server(self, host: str) -> Path:
        """Return a file with the key and the certificate of a server of this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._signed(subject, key, x509.SubjectAlternativeName(names))
        pkcs8 = serialization.PrivateFormat.PKCS8
        secret = key.private_bytes(serialization.Encoding.PEM, pkcs8, serialization.NoEncryption())
        file = self.folder / f"{host}.pem"
        file.write_bytes(secret + _pem(certificate))
        return file

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self._key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


class Door(NamedTuple):
    """Its port, and a mark for each who came through."""

    port: int
    came: list[None]


@contextmanager
def door(port: int, certificate: Path, *, asks_first: bool) -> Iterator[Door]:
    """Yield a door with TLS before another port; `asks_first`: in PostgreSQL's way, else from the first byte."""
    came: list[None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def hand_over(client: socket.socket) -> None:
        with suppress(OSError), client:
            if asks_first:
                if client.recv(len(TLS_PLEASE)) != TLS_PLEASE:
                    client.sendall(b"E" + (len(ENCRYPT) + 4).to_bytes(4, "big") + ENCRYPT)
                    return
                client.sendall(b"S")
            with context.wrap_socket(client, server_side=True) as safe:
                came.append(None)
                with socket.create_connection((HOST, port)) as server:
                    back = threading.Thread(target=_pump, args=(server, safe), daemon=True)
                    back.start()
                    _pump(safe, server)
                    back.join()

    with socket.create_server((HOST, free_port())) as listener:

        def listen() -> None:
            with suppress(OSError):  # the end: it is closed
                while True:
                    threading.Thread(target=hand_over, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield Door(listener.getsockname()[1], came)
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
