"""A refused login that ends as a time-out."""

from __future__ import annotations

import ssl
from typing import Any

import kafka.errors

from ..error_translation import TlsFailed, inner_text, is_refusal
from ..security.tls import why_failed
from . import sockets

#: This many closings in a row during the login mean a refusal whose text was lost, see ConnectionManager.
_CLOSES_THAT_MEAN_REFUSED = 4


class ConnectionManager(sockets.ConnectionManager):
    """Ends the bootstrap with the real error, and at once if trying again cannot help.

    kafka-python 3.0.12 means to remember a refused login and raise it at the next connection
    (dpkp/kafka-python#2994), but a refusal in the handshake only reaches the connection's own future:
    the bootstrap tries the wrong password until its time-out and then says "Unable to bootstrap".
    Worse, Kafka closes the socket right behind the refusal, and if both arrive together
    kafka-python's transport drops what it has read and reports the closing alone.
    """

    _last_error: BaseException | None = None
    _closed_in_login = 0

    def get_connection(self, node_id: Any, **options: Any) -> Any:
        bootstrapping = self.cluster.is_bootstrap(node_id)
        if bootstrapping and is_refusal(self._last_error):
            raise self._last_error
        connection = super().get_connection(node_id, **options)
        if bootstrapping:
            connection.close_future.add_errback(self._note, node_id)
        return connection

    def bootstrap(self, timeout_ms: float | None = None, refresh: bool = True) -> None:
        try:
            super().bootstrap(timeout_ms, refresh)
        except kafka.errors.KafkaTimeoutError as exc:
            if self._last_error is None:
                raise
            text = inner_text(self._last_error)
            if "socket disconnected" in text or "Handshake failed" in text:
                text += ": the listener may expect another KAFKA_SECURITY_PROTOCOL"
            raise kafka.errors.KafkaConnectionError(text) from exc

    def _note(self, node_id: Any, error: BaseException) -> None:
        self._last_error = error
        # With TLS 1.3 Kafka looks at the client's certificate when the handshake is over here.
        cause = error.args[0] if error.args else None
        if isinstance(cause, ssl.SSLError):
            node = self.cluster.broker_metadata(node_id)
            if why := why_failed(cause, f"{node.host}:{node.port}" if node else "Kafka", self.config):
                self._last_error = TlsFailed(why)
                return
        if "socket disconnected" not in str(error):
            return
        self._closed_in_login += 1
        if self.config["sasl_mechanism"] and self._closed_in_login >= _CLOSES_THAT_MEAN_REFUSED:
            self._last_error = kafka.errors.SaslAuthenticationFailedError(
                "it closed the connection in the login, as it does for a wrong user or password"
            )
