"""Without the extra `traces`, nothing of OpenTelemetry is imported or tried, and nothing is written."""

from __future__ import annotations

import json

from tests.helpers.kafka_reading import read_topic
from tests.helpers.programs import output_of, run_python
from workers import Cluster
from workers.topics import Topics

CODE = """if True:
    import json, sys

    class NotInstalled:
        tried = []

        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == "opentelemetry":
                self.tried.append(name)
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, NotInstalled())

    import dramatiq, tasks
    from tests.helpers.waiting import wait_for
    from workers.traces import active

    done = []

    @dramatiq.actor(broker=tasks.broker, queue_name="default")
    def noop():
        done.append(active.here())

    noop.send()
    worker = dramatiq.Worker(tasks.broker, queues={"default"}, worker_threads=1)
    worker.start()
    wait_for(lambda: done)
    worker.stop()
    found = [name for name in sys.modules if name.startswith("opentelemetry")]
    print(json.dumps([NotInstalled.tried, found, done]))
"""


def test_jobs_are_sent_and_run_as_ever(cluster: Cluster, namespace: str) -> None:
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": cluster.address,
        "KAFKA_NAMESPACE": namespace,
        "KAFKA_PARTITIONS": "1",
        "WORKER_KEEP_DONE_HOURS": "1",
    }
    assert json.loads(output_of(run_python("-c", CODE, env=env))) == [[], [], [None]]
    (record,) = read_topic(cluster, Topics(namespace).jobs("default"))
    assert dict(record.headers).keys() == {"schema", "message-id", "actor", "queue"}
