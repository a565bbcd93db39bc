"""dramatiq's own middleware, results, limits and compositions: on its StubBroker and on ours alike."""
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import shutil
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker, group, pipeline
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import RateLimitExceeded
from dramatiq.middleware import (
    AgeLimit,
    AsyncIO,
    Callbacks,
    CurrentMessage,
    GroupCallbacks,
    Pipelines,
    Retries,
    Shutdown,
    ShutdownNotifications,
    TimeLimit,
    TimeLimitExceeded,
)
from dramatiq.rate_limits import (
    Barrier,
    BucketRateLimiter,
    ConcurrentRateLimiter,
    RateLimiterBackend,
    WindowRateLimiter,
)
from dramatiq.rate_limits.backends import RedisBackend as RedisLimits
from dramatiq.rate_limits.backends import StubBackend as StubLimits
from dramatiq.results import ResultBackend, Results
from dramatiq.results.backends import RedisBackend as RedisResults
from dramatiq.results.backends import StubBackend as StubResults

from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for
from workers import Cluster, KafkaBroker

TIMEOUT_MS = 30_000


class Stage:
    """A broker with all of dramatiq's middleware, a worker, and actors that note what happens to them."""

    def __init__(
        self, broker: dramatiq.Broker, results: ResultBackend, limits: RateLimiterBackend, threads: int = 4
    ) -> None:
        self.broker = broker
        self.limits = limits
        self.seen: Counter[Any] = Counter()
        broker.add_middleware(CurrentMessage())
        broker.add_middleware(AsyncIO())
        broker.add_middleware(Results(backend=results, store_results=True))
        broker.add_middleware(GroupCallbacks(limits))
        broker.add_middleware(ShutdownNotifications(notify_shutdown=False))
        self._actors: dict[str, dramatiq.Actor[..., Any]] = {}
        for function in (
            self.add,
            self.fail_once,
            self.fail,
            self.who,
            self.loop,
            self.note,
            self.succeeded,
            self.failed,
            self.alone,
            self.admitted,
            self.last,
        ):
            self._declare(function)
        self._declare(self.sum_later)
        broker.emit_after("process_boot")  # as dramatiq's command does: time limits begin with it
        self.worker = Worker(broker, worker_timeout=100, worker_threads=threads)
        self.worker.start()

    def _declare(self, function: Callable[..., Any]) -> None:
        options: dict[str, Any] = {"min_backoff": 10, "max_backoff": 20, "max_retries": 500}
        if function.__name__ in {"fail", "loop"}:
            options = {"max_retries": 0}
        if function.__name__ == "loop":
            options["time_limit"] = 100

        # An actor must be a function: a bound method takes no attributes.
        async def run_async(*args: Any) -> Any:
            return await function(*args)

        def run(*args: Any) -> Any:
            return function(*args)

        name = function.__name__
        target: Callable[..., Any] = run_async if asyncio.iscoroutinefunction(function) else run
        self._actors[name] = dramatiq.actor(broker=self.broker, actor_name=name, **options)(target)

    def message(self, actor: str, *args: Any, **options: Any) -> dramatiq.Message[Any]:
        return self._actors[actor].message_with_options(args=args, **options)

    def send(self, actor: str, *args: Any, **options: Any) -> dramatiq.Message[Any]:
        return self.broker.enqueue(self.message(actor, *args, **options))

    def result(self, message: dramatiq.Message[Any]) -> Any:
        backend = self.broker.get_results_backend()
        return message.get_result(backend=backend, block=True, timeout=TIMEOUT_MS)

    def times(self, event: Any) -> int:
        return self.seen[event]

    # -- the actors

    def add(self, one: int, other: int) -> int:
        return one + other

    async def sum_later(self, one: int, other: int) -> int:
        await asyncio.sleep(0.001)
        return one + other

    def fail_once(self, key: str) -> int:
        self.seen[key] += 1
        if self.seen[key] == 1:
            raise ValueError(key)
        return self.seen[key]

    def fail(self, key: str) -> None:
        raise ValueError(key)

    def who(self) -> str:
        message = CurrentMessage.get_current_message()
        assert message is not None
        return str(message.message_id)

    def loop(self, key: str) -> None:
        try:
            while True:
                time.sleep(0.01)
        except TimeLimitExceeded:
            self.seen[key] += 1
            raise

    def note(self, key: str) -> None:
        self.seen[key] += 1

    def succeeded(self, message: dict[str, Any], result: Any) -> None:
        self.seen[message["message_id"], result] += 1

    def failed(self, message: dict[str, Any], error: dict[str, str]) -> None:
        self.seen[message["message_id"], error["type"]] += 1

    def alone(self, key: str) -> None:
        limiter = ConcurrentRateLimiter(self.limits, key, limit=1)
        with limiter.acquire():
            self.seen[key, "now"] += 1
            assert self.seen[key, "now"] == 1
            time.sleep(0.01)
            self.seen[key, "now"] -= 1
            self.seen[key] += 1

    def admitted(self, kind: str, key: str) -> bool:
        kinds = {
            "window": lambda: WindowRateLimiter(self.limits, key, limit=3, window=600),
            "bucket": lambda: BucketRateLimiter(self.limits, key, limit=3, bucket=86_400_000),
        }
        try:
            with kinds[kind]().acquire():
                return True
        except RateLimitExceeded:
            return False

    def last(self, key: str) -> bool:
        return bool(Barrier(self.limits, key).wait(block=False))


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    log_file = Path(folder / "log")
    try:
        wait_for(lambda: "Ready to accept connections" in log_file.read_text())
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module", params=["stub", "kafka", "kafka-and-redis"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as stack:
        results: ResultBackend = StubResults()
        limits: RateLimiterBackend = StubLimits()
        broker: dramatiq.Broker = StubBroker(fail_fast_default=False)
        if request.param != "stub":
            cluster: Cluster = request.getfixturevalue("cluster")
            broker = KafkaBroker(cluster, namespace=f"t-{uuid.uuid4().hex[:8]}", partitions=2)
        if request.param == "kafka-and-redis":
            url = request.getfixturevalue("redis_url")
            results, limits = RedisResults(url=url), RedisLimits(url=url)
            stack.callback(results.client.close)  # type: ignore[attr-defined]
            stack.callback(limits.client.close)  # type: ignore[attr-defined]
        stack.callback(broker.close)
        stage = Stage(broker, results, limits)
        stack.callback(stage.worker.stop)
        yield stage


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def test_the_default_middleware_is_there(stage: Stage) -> None:
    kinds = {type(middleware) for middleware in stage.broker.middleware}
    found = {kind for kind in kinds if issubclass(kind, Retries)}
    assert found
    assert kinds >= {AgeLimit, TimeLimit, ShutdownNotifications, Callbacks, Pipelines}


def test_the_result_of_a_job_can_be_fetched(stage: Stage) -> None:
    assert stage.result(stage.send("add", 1, 2)) == 3


def test_the_result_of_a_failed_job_is_its_error(stage: Stage, key: str) -> None:
    with pytest.raises(dramatiq.results.ResultFailure, match=key):
        stage.result(stage.send("fail", key))


def test_an_async_actor_gives_a_result_too(stage: Stage) -> None:
    assert stage.result(stage.send("sum_later", 1, 2)) == 3


def test_a_job_that_fails_is_tried_again(stage: Stage, key: str) -> None:
    stage.send("fail_once", key)
    wait_for(lambda: stage.times(key) == 2)


def test_the_current_message(stage: Stage) -> None:
    sent = stage.send("who")
    assert stage.result(sent) == sent.message_id


def test_a_job_beyond_its_time_limit_is_ended(stage: Stage, key: str) -> None:
    stage.send("loop", key, on_failure="failed")
    wait_for(lambda: stage.times(key) == 1)


def test_a_job_beyond_its_age_limit_is_not_run(stage: Stage, key: str) -> None:
    stage.broker.enqueue(stage.message("note", key, max_age=1_000).copy(message_timestamp=1_000))
    stage.broker.join("default", timeout=TIMEOUT_MS)
    assert stage.times(key) == 0
    stage.send("note", key, max_age=3_600_000)
    wait_for(lambda: stage.times(key) == 1)


def test_the_callback_of_success_or_of_failure_is_called_once(stage: Stage, key: str) -> None:
    well = stage.send("add", 1, 2, on_success="succeeded", on_failure="failed")
    wrong = stage.send("fail", key, on_success="succeeded", on_failure="failed")
    wait_for(lambda: stage.times((well.message_id, 3)) == 1)
    wait_for(lambda: stage.times((wrong.message_id, "ValueError")) == 1)


def test_each_job_of_a_pipeline_gets_the_result_of_the_one_before(stage: Stage) -> None:
    messages = [stage.message("add", 1, 2), stage.message("add", 4), stage.message("sum_later", 8)]
    chain = pipeline(messages, broker=stage.broker).run()
    assert chain.get_result(block=True, timeout=TIMEOUT_MS) == 15
    assert list(chain.get_results(block=True, timeout=TIMEOUT_MS)) == [3, 7, 15]


def test_a_pipeline_begins_after_its_delay_which_may_be_a_part_of_a_millisecond(stage: Stage) -> None:
    messages = [stage.message("add", 1, 2), stage.message("add", 4)]
    began = time.monotonic()
    chain = pipeline(messages, broker=stage.broker).run(delay=50.5)
    assert chain.get_result(block=True, timeout=TIMEOUT_MS) == 7
    assert time.monotonic() - began > 0.049  # dramatiq's own cuts off what is less than a millisecond


def test_groups_and_their_callbacks(stage: Stage, key: str) -> None:
    together = group([stage.message("add", number, 1) for number in range(5)], broker=stage.broker)
    together.add_completion_callback(stage.message("note", key))
    together.run()
    backend = stage.broker.get_results_backend()
    found = [child.get_result(backend=backend, block=True, timeout=TIMEOUT_MS) for child in together.children]
    assert found == [1, 2, 3, 4, 5]
    wait_for(lambda: stage.times(key) == 1)


def test_a_concurrent_rate_limit(stage: Stage, key: str) -> None:
    for _ in range(6):
        stage.send("alone", key)
    wait_for(lambda: stage.times(key) == 6, timeout_s=60)


@pytest.mark.parametrize("kind", ["window", "bucket"])
def test_a_rate_limit_over_time(stage: Stage, key: str, kind: str) -> None:
    sent = [stage.send("admitted", kind, key) for _ in range(5)]
    assert Counter(stage.result(message) for message in sent) == {True: 3, False: 2}


def test_the_last_of_the_parties_passes_a_barrier(stage: Stage, key: str) -> None:
    assert Barrier(stage.limits, key).create(parties=3)
    sent = [stage.send("last", key) for _ in range(3)]
    assert Counter(stage.result(message) for message in sent) == {False: 2, True: 1}


def test_a_job_that_wants_to_know_is_told_of_the_shutdown_and_sent_again(
    cluster: Cluster, namespace: str
) -> None:
    broker = KafkaBroker(cluster, namespace=namespace, partitions=1)
    started, told, ran = threading.Event(), threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker, notify_shutdown=True, min_backoff=10, max_backoff=20)
    def work() -> None:
        if started.is_set():
            ran.set()
            return
        started.set()
        try:
            while True:
                time.sleep(0.01)
        except Shutdown:
            told.set()
            raise

    work.send()
    worker = Worker(broker, worker_timeout=100, worker_threads=1)
    worker.start()
    assert started.wait(30)
    worker.stop()
    assert told.is_set()
    assert not ran.is_set()
    worker = Worker(broker, worker_timeout=100, worker_threads=1)
    worker.start()
    assert ran.wait(30)
    worker.stop()
    broker.close()
