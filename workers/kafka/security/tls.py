"""Says in words why TLS failed, and how long certificates are valid."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..cluster import Cluster

#: OpenSSL's numbers for why a server's certificate was not accepted.
_EXPIRED, _NOT_YET_VALID, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64
#: Parts of OpenSSL's names for a server that wants a certificate of the client, or refuses the one it got.
_WANTED = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE")
_REFUSED = ("BAD_CERTIFICATE", "UNKNOWN_CA", "CERTIFICATE_UNKNOWN", "CERTIFICATE_EXPIRED", "ACCESS_DENIED")


def why_failed(error: BaseException, server: str, files: Mapping[str, Any]) -> str | None:
    """The cause, the certificate and the setting; None if certificates have nothing to do with it.

    ``files`` are kafka-python's options of TLS.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return _why_not_trusted(error, server, files.get("ssl_cafile"))
    if not isinstance(error, ssl.SSLError):
        return None
    reason = error.reason or str(error).upper().replace(" ", "_")
    cert_file = files.get("ssl_certfile")
    if not any(name in reason for name in (*_WANTED, *_REFUSED)):
        return None
    if not cert_file:
        return f"{server} wants a certificate of the client: set KAFKA_SSL_CERT_FILE and KAFKA_SSL_KEY_FILE"
    return (
        f"{server} refuses the certificate in KAFKA_SSL_CERT_FILE={cert_file} ({_spoken(reason)}): an "
        "authority that Kafka trusts must have signed it, and it must not have expired"
    )


def why_not_loaded(error: OSError, files: Mapping[str, Any]) -> str:
    """Why a file with certificates or a key cannot be used."""
    ca_file, cert_file = files.get("ssl_cafile"), files.get("ssl_certfile")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file or cert_file)
    except OSError:
        name, file = ("KAFKA_SSL_CA_FILE", ca_file) if ca_file else ("KAFKA_SSL_CERT_FILE", cert_file)
        return f"{name}={file} cannot be used: it has no certificate in PEM"
    reason = getattr(error, "reason", None) or str(error)
    key = files.get("ssl_keyfile") or cert_file
    if "KEY_VALUES_MISMATCH" in reason:
        return f"the key in {key} is not that of the certificate in KAFKA_SSL_CERT_FILE={cert_file}"
    if files.get("ssl_password") or "PASSWORD" in reason.upper() or "DECRYPT" in reason.upper():
        return f"the key in {key} cannot be read: check KAFKA_SSL_KEY_PASSWORD"
    return (
        f"KAFKA_SSL_CERT_FILE={cert_file} and the key in {key} cannot be used ({_spoken(reason)}): the key "
        "may need KAFKA_SSL_KEY_PASSWORD, or be in a file of its own, KAFKA_SSL_KEY_FILE"
    )


def days_left(cluster: Cluster, now_s: float) -> Iterator[tuple[str, float]]:
    """The certificates and for how many days each is valid: those of the settings, and each server's.

    A server that cannot be reached, or whose certificate is not accepted, is left out.
    """
    if cluster.cert_file:
        with suppress(OSError, AttributeError):
            # ssl has no public function for it. The chain may follow in the file: the first one is ours.
            decoded = ssl._ssl._test_decode_cert(cluster.cert_file)  # type: ignore[attr-defined]
            yield f"KAFKA_SSL_CERT_FILE={cluster.cert_file}", _days(decoded, now_s)
    context = ssl.create_default_context(cafile=cluster.ca_file)
    if cluster.ca_file:
        ends = [_days(authority, now_s) for authority in context.get_ca_certs()]
        if ends:
            yield f"KAFKA_SSL_CA_FILE={cluster.ca_file}", min(ends)
    if cluster.cert_file:
        context.load_cert_chain(cluster.cert_file, cluster.key_file, cluster.key_password or "")
    for server in cluster.bootstrap_servers:
        with suppress(OSError):
            yield server, _days(_shown_by(server, context, cluster.connect_timeout_s), now_s)


def _shown_by(server: str, context: ssl.SSLContext, timeout_s: float) -> Mapping[str, Any]:
    host, _, port = server.rpartition(":")
    name = host.strip("[]")
    with (
        socket.create_connection((name, int(port)), timeout_s) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        return secure.getpeercert() or {}


def _days(certificate: Mapping[str, Any], now_s: float) -> float:
    return (ssl.cert_time_to_seconds(certificate["notAfter"]) - now_s) / 86_400


def _why_not_trusted(error: ssl.SSLCertVerificationError, server: str, ca_file: str | None) -> str:
    whose = f"the certificate of {server}"
    if error.verify_code == _EXPIRED:
        return f"{whose} has expired, or one that signed it: have it renewed"
    if error.verify_code == _NOT_YET_VALID:
        return f"{whose} is not valid yet: look at this machine's clock"
    if error.verify_code in {_WRONG_HOST, _WRONG_ADDRESS}:
        return (
            f"{whose} is for another name ({error.verify_message}): KAFKA_BOOTSTRAP_SERVERS and Kafka's "
            "advertised.listeners must have a name that it is for"
        )
    authorities = f"KAFKA_SSL_CA_FILE={ca_file}" if ca_file else "the system (KAFKA_SSL_CA_FILE is not set)"
    return f"{whose} is signed by no authority of {authorities} ({error.verify_message})"


def _spoken(reason: str) -> str:
    return reason.replace("_", " ").lower()
