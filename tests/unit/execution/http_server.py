"""A web server on 127.0.0.1 with answers of every kind, good and bad."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

GONE = (BrokenPipeError, ConnectionResetError, ssl.SSLError)


class Handler(BaseHTTPRequestHandler):
    """``/word/argument``: the method ``word`` answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server
    timeout = 30

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.server.requests.append((self.command, self.path))
        _, word, argument = (self.path + "/").split("/", 3)[:3]
        try:
            getattr(self, "on_" + word.partition("?")[0])(argument)
        except GONE:
            self.close_connection = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_arguments: Any) -> None:
        """Not on the test's stderr."""

    def send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and body:
            self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        """Not HTTP, or not all of it; then the connection closes."""
        self.wfile.write(data)
        self.wfile.flush()
        self.close_connection = True

    def on_status(self, argument: str) -> None:
        self.send(int(argument), b"" if argument in ("204", "304") else b"some words\n")

    def on_echo(self, _argument: str) -> None:
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": [[name, text] for name, text in self.headers.items()],
            "body": self.body.decode(),
        }
        self.send(200, json.dumps(seen).encode())

    def on_redirect(self, argument: str) -> None:
        left = int(argument)
        self.send(302, b"moved", Location=f"/redirect/{left - 1}" if left else "/status/200")

    def on_goto(self, argument: str) -> None:
        self.send(int(argument), b"moved", Location="/echo")

    def on_to(self, _argument: str) -> None:
        self.send(302, b"moved", Location=self.path.partition("?")[2])

    def on_loop(self, _argument: str) -> None:
        self.send(302, b"moved", Location="/loop")

    def on_away(self, argument: str) -> None:
        """To another protocol, or to nonsense."""
        target = {"file": "file:///etc/passwd", "ftp": "ftp://127.0.0.1/", "odd": "h\xe9\xff://x"}
        location = target[argument].encode("latin-1")
        self.raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")

    def on_endless(self, _argument: str) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"x" * 65_536)

    def on_bomb(self, _argument: str) -> None:
        packed = gzip.compress(b"\0" * 64 * 1024**2, 9)
        self.send(200, packed, Content_Encoding="gzip")

    def on_drip(self, _argument: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.over.wait(0.05):
            self.wfile.write(b".")

    def on_silence(self, _argument: str) -> None:
        self.server.over.wait(30)
        self.close_connection = True

    def on_together(self, argument: str) -> None:
        """Answers when so many calls are here at once."""
        self.server.here.release()
        deadline = time.monotonic() + 20
        while self.server.here._value < int(argument) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.send(200, b"all here")

    def on_nothing(self, _argument: str) -> None:
        self.close_connection = True

    def on_garbage(self, _argument: str) -> None:
        self.raw(b"\x00\x01\xff garbage, no answer\r\n\r\n")

    def on_badstatus(self, _argument: str) -> None:
        self.raw(b"HTTP/1.1 wonderful\r\n\r\n")

    def on_short(self, _argument: str) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

    def on_headers(self, _argument: str) -> None:
        self.raw(b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 2_000_000 + b"\r\n\r\n")

    def on_text(self, argument: str) -> None:
        texts = {"ok": "état: tout va bien\n".encode(), "latin": b"\xe9tat: ok",
                 "large": b"x" * 2_000_000 + b"END"}  # fmt: skip
        self.send(200, texts[argument])


class Server(ThreadingHTTPServer):
    """Counts connections and requests."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = 512

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), Handler)
        self.requests: list[tuple[str, str]] = []
        self.connections = 0
        self.over = threading.Event()
        self.here = threading.Semaphore(0)

    def handle_error(self, *_arguments: Any) -> None:
        """A client that hangs up is what these tests are about."""

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def serving(certificate: Path | None = None, host: str = "127.0.0.1") -> Iterator[Server]:
    """A running server; with TLS if it is given a file with certificate and key."""
    server = Server(host)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(path: Path, name: str) -> Path:
    """A self-signed certificate for ``name`` (or for the address 127.0.0.1) with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "127.0.0.1":
        names = [x509.IPAddress(ipaddress.ip_address(name))]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
