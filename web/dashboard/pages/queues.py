"""The queues, and one queue with its partitions and what holds it up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from workers.controls.decision import Pause
from workers.display.times import length_of_time
from workers.operations.queue_status import QueueStatus
from workers.stats.history import Grain

from ..charts import actors_of, charts
from ..desk import Desk
from ..sessions.rights import Permission


def routes(desk: Desk) -> Sequence[BaseRoute]:
    @desk.open_to(Permission.VIEW)
    def queues(request: Request) -> Response:
        desk.first_look()
        return desk.render(request, "queues.html", snapshot=desk.snapshots.latest, dead=desk.letters.counts)

    @desk.open_to(Permission.VIEW)
    def queue(request: Request) -> Response:
        desk.first_look()
        name = request.path_params["name"]
        grain: Grain = "coarse" if request.query_params.get("of") == "days" else "detail"
        actor = request.query_params.get("actor") or None
        snapshot = desk.snapshots.latest
        status = next((one for one in snapshot.queues if one.queue == name), None) if snapshot else None
        if snapshot is not None and status is None:
            return desk.say(request, "No such queue", f"This application declares no queue {name!r}.", 404)
        return desk.render(
            request,
            "queue.html",
            name=name,
            status=status,
            partitions=snapshot.partitions[name] if snapshot else [],
            grain=grain,
            actor=actor,
            actors=actors_of(snapshot.history, grain, name) if snapshot else [],
            charts=charts(snapshot.history, grain, name, actor) if snapshot else [],
            pause=snapshot.pauses.get(name) if snapshot else None,
            confirmed=snapshot.confirmed if snapshot else None,
            reasons=list(why_it_waits(status, snapshot.pauses.get(name))) if snapshot and status else [],
            dead=desk.letters.counts.get(name, 0),
        )

    return [Route("/queues", queues), Route("/queues/{name}", queue)]


def why_it_waits(queue: QueueStatus, pause: Pause | None = None) -> Iterator[str]:
    """Say what holds a queue's jobs up, the gravest first. Pure."""
    yield from (str(place) for place in queue.unreadable)
    if queue.held_up:
        yield (
            f"{queue.held_up:,} of what waits is held up by an open transaction of its writer, until that "
            "ends or is timed out."
        )
    if not queue.waiting:
        return
    if pause is not None:
        yield f"{pause.note.who or 'Somebody'} has paused it: {queue.waiting:,} jobs wait until it goes on."
        return
    if not queue.consumers:
        yield "No worker reads this queue: start one with `dramatiq`, or let one that runs read it too."
        return
    oldest = queue.oldest
    if oldest is not None and oldest.in_hand:
        age = "" if oldest.age_s is None else f" for {length_of_time(oldest.age_s)} since it was enqueued"
        yield (
            f"Workers have {queue.running:,} jobs in hand; the oldest is {oldest.actor or 'a record'} "
            f"{oldest.message_id or ''}, in partition {oldest.partition}{age}. What waits behind it starts "
            "as threads become free."
        )
    else:
        yield f"{queue.consumers} worker processes read it, and take jobs as their threads become free."
