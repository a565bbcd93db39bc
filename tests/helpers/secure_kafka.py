"""A Kafka with a listener for each way to log in, and the certificates for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for
from workers import Cluster
from workers.errors import LocalKafkaError
from workers.local_kafka import config
from workers.local_kafka.jars import default_cache_dir
from workers.local_kafka.java import find_java
from workers.local_kafka.ports import PortTaken, start_on_free_ports

HOST = "localhost"
USER, PASSWORD = "alice", "alice-secret"
CLIENT, SECRET = "pool", "pool-secret"
KEY_PASSWORD = "key-secret"
#: Listeners by name, and the security protocol of each.
LISTENERS = {
    "PLAIN": "PLAINTEXT",
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "LOGIN": "SASL_SSL",
    "EXPIRED": "SSL",
    "OTHERNAME": "SSL",
}


class Certificates:
    """PEM files: an authority, servers and clients of it, and of another authority."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        authority, other = trustme.CA(), trustme.CA()
        self.ca = self._write("ca.pem", authority.cert_pem.bytes())
        self.other_ca = self._write("other-ca.pem", other.cert_pem.bytes())
        now = datetime.now(UTC)
        past = partial(
            authority.issue_cert, not_before=now - timedelta(days=9), not_after=now - timedelta(days=2)
        )
        self.server = self._leaf("server", authority.issue_cert(HOST, not_after=now + timedelta(days=100)))
        self.expired_server = self._leaf("expired-server", past(HOST))
        self.other_name = self._leaf("other-name", authority.issue_cert("kafka.example"))
        client = authority.issue_cert(
            "pool@example.com", common_name="pool", not_after=now + timedelta(days=50)
        )
        self.client = self._leaf("client", client)
        self.client_chain = self._write("client-chain.pem", client.cert_chain_pems[0].bytes())
        self.client_key = self._write("client-key.pem", self._key(client))
        self.locked_key = self._write("locked-key.pem", self._key(client, KEY_PASSWORD))
        self.strange_client = self._leaf("strange-client", other.issue_cert("pool@example.com"))
        self.expired_client = self._leaf("expired-client", past("old@example.com"))

    def _leaf(self, name: str, cert: trustme.LeafCert) -> str:
        """Key and certificate in one file, as Kafka reads it, too."""
        chain = b"".join(part.bytes() for part in cert.cert_chain_pems)
        return self._write(f"{name}.pem", self._key(cert) + chain)

    def _key(self, cert: trustme.LeafCert, password: str | None = None) -> bytes:
        locked: KeySerializationEncryption = NoEncryption()
        if password is not None:
            locked = BestAvailableEncryption(password.encode())
        key = load_pem_private_key(cert.private_key_pem.bytes(), None)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)

    def _write(self, name: str, data: bytes) -> str:
        path = self._folder / name
        path.write_bytes(data)
        return str(path)


class Tokens:
    """An OAuth server: gives tokens to one client, and counts how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [public | {"kid": "one", "use": "sig", "alg": "RS256"}]}))
        self.asked = 0
        self.url = ""

    def token(self, audience: str = "kafka") -> str:
        now = int(time.time())
        claims = {"sub": CLIENT, "aud": audience, "iss": "test", "iat": now, "exp": now + 300}
        return jwt.encode(claims, self._key, "RS256", {"kid": "one"})

    @contextmanager
    def serving(self) -> Iterator[None]:
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                tokens.asked += 1
                fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                allowed = fields["client_id"] == [CLIENT] and fields["client_secret"] == [SECRET]
                good = {"access_token": tokens.token(), "expires_in": 300}
                answer = good if allowed else {"error": "invalid_client"}
                self.send_response(200 if allowed else 401)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/token"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class SecureKafka:
    """One broker with all LISTENERS; ends with the block of :meth:`running`."""

    def __init__(self, folder: Path) -> None:
        self._home = folder
        self.certificates = Certificates(folder)
        self.tokens = Tokens(folder)
        self._ports: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def cluster(self, listener: str, **options: Any) -> Cluster:
        """How to reach a listener; by default with the right authority."""
        protocol = LISTENERS[listener]
        if protocol != "PLAINTEXT":
            options = {"ca_file": self.certificates.ca} | options
        server = f"{HOST}:{self._ports[listener]}"
        return Cluster((server,), security_protocol=protocol, connect_timeout_s=30.0, **options)

    @contextmanager
    def running(self) -> Iterator[None]:
        java = find_java(default_cache_dir().absolute()).command()
        try:
            start_on_free_ports(lambda: self._start(java), self._end, ())
            with self.tokens.serving():
                yield
        finally:
            self._end()

    def _start(self, java: list[str]) -> None:
        self._ports = {name: free_port() for name in (*LISTENERS, "CONTROLLER")}
        (self._home / config.PROPERTIES_FILE).write_text(self._properties())
        # The data of an earlier start names its ports.
        shutil.rmtree(self._home / config.LOG_DIR, ignore_errors=True)
        format_ = [*java, "kafka.tools.StorageTool", "format", "--standalone"]
        format_ += ["--cluster-id", config.cluster_id(uuid.uuid4()), "--config", config.PROPERTIES_FILE]
        format_ += config.scram_arguments({USER: PASSWORD})
        subprocess.run(format_, cwd=self._home, check=True, capture_output=True)
        jwks = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.tokens.jwks.as_uri()}"
        log_file = self._home / "kafka.log"
        with log_file.open("wb") as log:
            command = [java[0], jwks, *java[1:], "kafka.Kafka", config.PROPERTIES_FILE]
            self._process = subprocess.Popen(command, cwd=self._home, stdout=log, stderr=log)
        wait_for(partial(self._has_started, self._process, log_file), 90)

    def _has_started(self, process: subprocess.Popen[bytes], log_file: Path) -> bool:
        has_ended = process.poll() is not None  # first, as its log is whole then
        log = log_file.read_text(errors="replace")
        if has_ended:
            port = config.taken_port(log)
            raise (
                PortTaken(port)
                if port is not None
                else LocalKafkaError(f"Kafka ended while it started: {config.last_errors(log)}")
            )
        return config.STARTED in log

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _properties(self) -> str:
        certificates = self.certificates
        listeners = {name: f"{name}://{HOST}:{port}" for name, port in self._ports.items()}
        protocols = LISTENERS | {"CONTROLLER": "PLAINTEXT"}
        module = "org.apache.kafka.common.security"
        scram = f"{module}.scram.ScramLoginModule required;"
        properties: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"{HOST}:{self._ports['CONTROLLER']}",
            "listeners": ",".join(listeners.values()),
            "advertised.listeners": ",".join(listeners[name] for name in LISTENERS),
            "listener.security.protocol.map": ",".join(f"{name}:{one}" for name, one in protocols.items()),
            "inter.broker.listener.name": "PLAIN",
            "log.dirs": config.LOG_DIR,
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "log.cleaner.dedupe.buffer.size": 2_097_152,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": certificates.ca,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": certificates.server,
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.expired.ssl.keystore.location": certificates.expired_server,
            "listener.name.expired.ssl.keystore.type": "PEM",
            "listener.name.othername.ssl.keystore.location": certificates.other_name,
            "listener.name.othername.ssl.keystore.type": "PEM",
            "listener.name.login.sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN,OAUTHBEARER",
            "listener.name.login.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.login.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.login.plain.sasl.jaas.config": (
                f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            "listener.name.login.oauthbearer.sasl.jaas.config": (
                f"{module}.oauthbearer.OAuthBearerLoginModule required;"
            ),
            "listener.name.login.oauthbearer.sasl.server.callback.handler.class": (
                f"{module}.oauthbearer.OAuthBearerValidatorCallbackHandler"
            ),
            "listener.name.login.sasl.oauthbearer.jwks.endpoint.url": self.tokens.jwks.as_uri(),
            "listener.name.login.sasl.oauthbearer.expected.audience": "kafka",
            "listener.name.login.sasl.oauthbearer.expected.issuer": "test",
        }
        return "".join(f"{name}={value}\n" for name, value in properties.items())
