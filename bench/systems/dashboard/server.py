"""A dashboard on a port, as an application mounts it, with a count of the requests that it sends to Kafka."""

from __future__ import annotations

import sys
from typing import Any

import dramatiq
import uvicorn
from kafka.net.connection import KafkaConnection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from web.dashboard import dashboard
from workers import Cluster, KafkaBroker
from workers.runtime.garbage import make_collections_rare

#: The one-time code of the only login.
CODE = "bench"
QUEUES = ("mail", "again")


def make_broker(address: str, namespace: str) -> KafkaBroker:
    """The application: two queues, each with an actor."""
    broker = KafkaBroker(Cluster((address,)), namespace=namespace)
    for queue in QUEUES:

        @dramatiq.actor(broker=broker, queue_name=queue, actor_name=f"send_{queue}")
        def send(address: str, todo: dict[str, Any], copies: int = 1) -> None: ...

    return broker


def main(port: str, address: str, namespace: str) -> None:
    """Serve until the process is killed."""
    sent = 0
    send = KafkaConnection._send_request

    def counted(connection: KafkaConnection, *given: Any, **named: Any) -> Any:
        nonlocal sent
        sent += 1
        return send(connection, *given, **named)

    KafkaConnection._send_request = counted

    async def ready(_request: Request) -> Response:
        return Response()

    async def requests(_request: Request) -> Response:
        return JSONResponse(sent)

    make_collections_rare()  # as `todo-workers web` does
    board = dashboard(make_broker(address, namespace), code=CODE)
    app = Starlette(routes=[Route("/readyz", ready), Route("/requests", requests), Mount("/workers", board)])
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
