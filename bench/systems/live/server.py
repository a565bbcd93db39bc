"""The servers that are measured: the bridge, and a plain uvicorn application with as little as possible.

``python -m bench.systems.live.server bridge|chatbot-bridge|bare PORT KAFKA NAMESPACE``. Two of them send a
text to all clients: the bridge when an event for everybody comes by Kafka, the plain one when somebody posts
it. The chatbot's bridge has its own rule of who sees what, by which it finds quickly what clients missed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI, Request

from web.access import Access
from web.keys import SecretKey
from web.live.bridge import Bridge, Limits
from web.live.connections.admission import Admission
from web.live.connections.routes import add_health, add_live
from web.live.views import VIEWS, Views, owner_and_watchers
from web.running.server import Server, listen
from workers import Cluster
from workers.kafka import create_missing_topics
from workers.runtime.garbage import make_collections_rare
from workers.topics import TopicSpec, log_config

KEY = "a key of thirty-two bytes or more"
#: The type of the events that everybody sees.
FOR_ALL = "bench.for-all"
_MANY = 1_000_000


def bridge_server(address: str, namespace: str, views: Views) -> Server:
    """The bridge, as `todo-workers bridge` runs it."""
    make_collections_rare()
    cluster = Cluster((address,))
    topics = [f"{namespace}.events", f"{namespace}.updates"]
    specs = [TopicSpec(topic, 8, None, log_config(86_400_000)) for topic in topics]

    limits = Limits(connections=_MANY, per_user=_MANY, per_address=_MANY)
    bridge = Bridge(
        cluster, topics, views=views, limits=limits, prepare=lambda: create_missing_topics(cluster, specs)
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await bridge.start()
        yield
        await bridge.stop()

    app = FastAPI(lifespan=lifespan)
    add_health(app, bridge)
    admission = Admission(origins=(), connections=_MANY, per_address=_MANY)
    add_live(app, bridge=bridge, access=Access(SecretKey(KEY), audience="todo"), admission=admission)
    return Server(app, bridge, drain=timedelta(0))


def views_for_all() -> Views:
    """The chatbot's views, and an event that everybody may see."""

    def audience(event: Mapping[str, Any]) -> Any:
        return None if event["type"] == FOR_ALL else owner_and_watchers(event)

    return Views({**VIEWS, FOR_ALL: lambda event: event["data"]}, audience)


class Bare:
    """Answers hello, and sends what is posted to `/all` to all clients."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._clients: set[Callable[[Mapping[str, Any]], Awaitable[None]]] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/all":
            text = (await Request(scope, receive).body()).decode()
            for client in self._clients:
                task = asyncio.create_task(_send(client, text))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "todo.v1"})
        await receive()
        await send({"type": "websocket.send", "text": '{"type":"welcome"}'})
        self._clients.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._clients.discard(send)


async def _send(client: Callable[[Mapping[str, Any]], Awaitable[None]], text: str) -> None:
    await client({"type": "websocket.send", "text": text})


def bare_server() -> uvicorn.Server:
    """The plain application, with the settings of the bridge's server."""
    app = FastAPI()
    app.get("/readyz")(lambda: "ok")
    app.post("/all")(lambda: "ok")
    app.add_middleware(Bare)
    options: dict[str, Any] = {"ws": "websockets-sansio", "ws_per_message_deflate": False}
    return uvicorn.Server(
        uvicorn.Config(
            app, **options, ws_ping_interval=None, log_config=None, access_log=False, backlog=4_096
        )
    )


def main(kind: str, port: str, address: str, namespace: str) -> None:
    """Serve until a signal comes."""
    views = {"bridge": views_for_all, "chatbot-bridge": Views}
    server = bridge_server(address, namespace, views[kind]()) if kind in views else bare_server()
    uvloop.run(server.serve(sockets=[listen("127.0.0.1", int(port))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
