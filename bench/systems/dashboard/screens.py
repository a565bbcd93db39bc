"""The dashboard with many dead letters, as viewers and an operator meet it."""

from __future__ import annotations

import json
import re
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2 as httpx
import psutil

from workers import KafkaBroker

from ...errors import NotMeasured
from ...web_server import cpu_s, free_port, started
from .letters import fill, one_more
from .server import CODE, make_broker

_FILTERS = (
    "queue=mail",
    "exception=ValueError",
    "reason=crashed",
    "actor=send_mail&since=3h",
    "until=5h",
    "id=mail-0000012",
    "exception=KeyError&kind=%27%E2%80%A6%27&queue=mail",
)
_CHANGES = 5
_DEADLINE_S = 900.0
#: After so long without a viewer nothing may be asked any more.
_IDLE_S = 14.0


def dashboard(
    address: str, namespace: str, *, letters: int, replayed: int, viewers: int, seconds: float
) -> dict[str, float]:
    """Measure all of it, one after the other, at one dashboard."""
    broker = make_broker(address, namespace)
    fill(broker, "mail", letters - replayed)
    fill(broker, "again", replayed)
    port = free_port()
    command = [sys.executable, "-m", f"{__package__}.server", str(port), address, namespace]
    with started(command, port, "the dashboard") as process, _client(port) as client:
        found = _first_pages(client, letters)
        found["memory_mb"] = process.memory_info().rss / 1e6
        found["filter_ms"] = max(_filtered(client, one) for one in _FILTERS)
        found["change_ms"] = statistics.median(_change(client, broker) for _ in range(_CHANGES))
        found["viewers_cpu"] = _viewed(client, broker, process, viewers, seconds)
        found["idle_requests"] = _idle(client, seconds)
        found |= _replayed(client, replayed)
        found["memory_mb"] = max(found["memory_mb"], process.memory_info().rss / 1e6)
    broker.close()
    return found


@contextmanager
def _client(port: int) -> Iterator[httpx.Client]:
    at = f"http://127.0.0.1:{port}"
    with httpx.Client(
        base_url=at, headers={"origin": at}, timeout=60, limits=httpx.Limits(max_connections=100)
    ) as client:
        answer = client.post("/workers/login", data={"token": CODE})
        if answer.status_code != 303:
            raise NotMeasured(f"the login was answered with {answer.status_code}")
        yield client


def _page(client: httpx.Client, path: str, *, is_live: bool = False) -> tuple[float, str]:
    """How long a page took in ms, and its text. One that is live asks for itself anew, as the script does."""
    began = time.perf_counter()
    headers = {"x-live": "1"} if is_live else {}
    answer = client.get(f"/workers{path}", follow_redirects=True, headers=headers)
    if answer.status_code != 200:
        raise NotMeasured(f"{path} was answered with {answer.status_code}")
    return (time.perf_counter() - began) * 1000, answer.text


def _first_pages(client: httpx.Client, letters: int) -> dict[str, float]:
    began = time.monotonic()
    overview_ms, _ = _page(client, "/")
    letters_ms, page = _page(client, "/dead-letters")
    shown = page.count('class="id"')
    if shown != 100:
        raise NotMeasured(f"the first page has {shown} letters")
    _until(lambda: "index of dead letters is being built" not in _page(client, "/dead-letters")[1], 1.0)
    index_s = time.monotonic() - began
    if f"<strong>{letters:,}</strong> dead letters" not in (page := _page(client, "/dead-letters")[1]):
        raise NotMeasured(f"the index has other letters: {re.findall('<strong>[0-9,]+', page)}")
    return {"overview_ms": overview_ms, "letters_ms": letters_ms, "index_s": index_s}


def _filtered(client: httpx.Client, query: str) -> float:
    return statistics.median(_page(client, f"/dead-letters?{query}")[0] for _ in range(3))


def _change(client: httpx.Client, broker: KafkaBroker) -> float:
    """From when Kafka has a letter until a viewer's page shows it, in ms."""
    with client.stream("GET", "/workers/live") as stream:
        versions = _versions(stream)
        next(versions)
        letter_id = one_more(broker)
        began = time.perf_counter()
        while letter_id not in _page(client, "/dead-letters?queue=mail")[1]:
            if time.perf_counter() - began > _DEADLINE_S:
                raise NotMeasured("a letter is not shown")
            next(versions)
        return (time.perf_counter() - began) * 1000


def _versions(stream: httpx.Response) -> Iterator[str]:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["version"]


def _viewed(
    client: httpx.Client, broker: KafkaBroker, process: psutil.Process, viewers: int, seconds: float
) -> float:
    """Percent of a core while so many look at the overview, and a letter comes each second."""
    stopping = threading.Event()

    def look() -> None:
        shown = ""
        with client.stream("GET", "/workers/live") as stream:
            for version in _versions(stream):
                if stopping.is_set():
                    return
                if version != shown:
                    _page(client, "/", is_live=True)
                    shown = version

    threads = [threading.Thread(target=look, daemon=True) for _ in range(viewers)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    before, began = cpu_s(process), time.monotonic()
    while time.monotonic() - began < seconds:
        one_more(broker)
        time.sleep(1 - (time.monotonic() - began) % 1)
    used = (cpu_s(process) - before) / (time.monotonic() - began)
    stopping.set()
    for thread in threads:
        thread.join()
    return used * 100


def _idle(client: httpx.Client, seconds: float) -> float:
    """The requests to Kafka once nobody has looked for a while."""
    time.sleep(_IDLE_S)
    before = client.get("/requests").json()
    time.sleep(seconds)
    return float(client.get("/requests").json() - before)


def _replayed(client: httpx.Client, count: int) -> dict[str, float]:
    """Replay, stop after about a third, and resume; the rate is of both parts together."""
    answer = client.post("/workers/runs", data={"action": "replay", "queue": "again"})
    path = answer.headers["location"].removeprefix("/workers")
    began = time.monotonic()
    _until(lambda: 'value="begin"' in _page(client, path)[1], 0.1)
    looked_s = time.monotonic() - began
    client.post(f"/workers{path}", data={"do": "begin"})
    began = time.monotonic()
    _until(lambda: _done(_page(client, path)[1]) >= count / 3, 0.05)
    client.post(f"/workers{path}", data={"do": "stop"})
    _until(lambda: ">Stop<" not in _page(client, path)[1], 0.05)
    acting_s = time.monotonic() - began
    stopped_at = _done(_page(client, path)[1])
    client.post(f"/workers{path}", data={"do": "begin"})
    began = time.monotonic()
    _until(lambda: ">Stop<" not in _page(client, path)[1], 0.05)
    acting_s += time.monotonic() - began
    done = _done(_page(client, path)[1])
    if not (0 < stopped_at < count and done == count):
        raise NotMeasured(f"stopped at {stopped_at}, {done} of {count} replayed")
    return {"replay_per_s": count / acting_s, "replay_look_s": looked_s}


def _done(page: str) -> int:
    found = re.search(r"<strong>([0-9,]+) of ", page)
    return int(found[1].replace(",", "")) if found else 0


def _until(condition: Callable[[], bool], every_s: float) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        if time.monotonic() > deadline:
            raise NotMeasured(f"it did not come about in {_DEADLINE_S:g} s")
        time.sleep(every_s)
