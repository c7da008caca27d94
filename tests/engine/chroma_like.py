"""Servers that speak Chroma's interface well, badly or not at all, and a connector in front of them."""

import contextlib
import datetime as dt
import http.server
import ipaddress
import json
import os
import secrets
import select
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from engine import server_address
from engine.at_server import AtServer, Line
from engine.connector import Connector

OURS = "/api/v2/tenants/default_tenant/databases/default_database/collections"
UUID = "0b7a4f6e-1c2d-4e3f-8a9b-0c1d2e3f4a5b"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every request by `answer(body)`, which returns a status and a body, or None to hang up."""

    protocol_version = "HTTP/1.1"

    def handle_one(self):
        answered = self.answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if answered is None:
            self.close_connection = True
            return
        status, content = answered
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(content)

    do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - the library's names

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def listening(handler, certificates=None, **told):
    """A server of such a handler, which finds `told` at `self.server`; with an ssl.SSLContext, behind https."""
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    for name, value in told.items():
        setattr(made, name, value)
    if certificates is not None:
        made.socket = certificates.wrap_socket(made.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        made.shutdown()
        made.server_close()


class Answers(Handler):
    """Chroma's interface as far as it is told to have it: what a path answers is in `server.told`."""

    def answer(self, body):
        if self.server.breaks:
            self.server.breaks -= 1
            return None
        told = json.loads(body or b"null")
        self.server.heard.append((self.command, self.path, told, dict(self.headers)))
        status, value = self.server.told.get(self.path.partition("?")[0], (404, {}))
        value = value(told) if callable(value) else value
        return status, value if isinstance(value, bytes) else json.dumps(value).encode()


def answering(certificates=None):
    """A server that speaks as Chroma's does."""
    told = {
        "/api/v2/version": (200, "1.0.0"),
        "/api/v2/pre-flight-checks": (200, {"max_batch_size": 100, "supports_base64_encoding": True}),
        OURS: (200, lambda body: [] if body is None else {"id": UUID, "dimension": None}),
        f"{OURS}/{UUID}/count": (200, 0),
        f"{OURS}/{UUID}/upsert": (200, {}),
        f"{OURS}/{UUID}/query": (200, lambda body: {"ids": [["ab" * 16, "no id", 7, "cd" * 16]]}),
    }
    return listening(Answers, certificates, heard=[], breaks=0, told=told)


@contextlib.contextmanager
def connected(port, *, dialing=True, scheme="http", host="127.0.0.1", **files):
    """A connector for an address, and somebody who connects when it asks."""
    running, line = Connector.start(server_address.Address(scheme, host, port, **files))
    ended = threading.Event()

    def listen():
        while dialing and not ended.is_set():
            if select.select([running.line], [], [], 0.05)[0] and not running.heard():
                return
            if running.dialing:
                with contextlib.suppress(ChildProcessError):
                    running.ended(os.waitpid(running.dialing, 0)[0])

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield AtServer(Line(line), f"127.0.0.1:{port}", "a" * 16, "b" * 16), running
    finally:
        ended.set()
        listener.join(10)
        for pid in running.close():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        line.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextlib.contextmanager
def speaking(say):
    """A server that does with each connection what a test wants; yields its port."""
    ended = threading.Event()

    def serve(connection):
        with connection, contextlib.suppress(OSError):
            say(connection, ended)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)


class Authority:
    """Who signs certificates, made by a test."""

    def __init__(self, folder, name="an authority of this test"):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._begun(self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = made.sign(self.key, hashes.SHA256())
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _begun(self, subject, key, days=1):
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=2)).not_valid_after(now + dt.timedelta(days=days))
        )  # fmt: skip

    def server(self, host="localhost", days=1):
        """What a server of this name shows, as an ssl.SSLContext."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(host), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))][
            : 2 if host == "localhost" else 1
        ]
        begun = self._begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), key, days)
        signed = begun.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(self.key, hashes.SHA256())
        path = self.folder / f"{secrets.token_hex(4)}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(private + signed.public_bytes(Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
