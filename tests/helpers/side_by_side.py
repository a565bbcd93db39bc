"""Shares the tests of a run among its processes: one after the other in their order, some files as a whole.

The order is that of the folders: what waits for processes and for Kafka comes first, and at the end there
are only quick unit tests, so that no process is left with a long one. A mark and `--dist loadgroup` would do
as well, but xdist 3.8 finds no groups with pytest 9.2: it changes a node's `_nodeid`, which is gone.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

from tests.helpers.repository import REPOSITORY

#: Tests that share what takes seconds to make run in the process that has made it, by what they share.
SHARING = {
    "a wheel": ["acceptance/test_wheel.py"],
    "three brokers": [
        "acceptance/survival/test_three_brokers.py",
        "acceptance/survival/test_three_brokers_command.py",
    ],
    "brokers with results": ["contract/test_features.py"],
    "a browser": ["integration/web/test_dashboard_script.py"],
    "a browser, and a page": ["integration/web/test_example_page.py"],
    "a Kafka that goes away": ["integration/web/test_kafka_away.py"],
    "a Kafka with certificates": ["integration/workers/kafka/test_secure_connections.py"],
    "a Kafka that is damaged": ["integration/workers/kafka/test_batches_of_others.py"],
    "a Kafka that freezes": ["integration/workers/kafka/test_frozen.py"],
    "a Kafka with users": [
        "integration/workers/dead_letters/test_writer.py",
        "integration/workers/kafka/test_unreachable.py",
        "integration/workers/operations/test_doctor.py",
        "integration/workers/partitions/test_trimming.py",
        "integration/workers/test_rights.py",
    ],
}
#: Takes minutes, in one process: it is begun first, as all others would be done long before it otherwise.
LONGEST = "tests/acceptance/survival/test_three_brokers.py"
_GROUPS = {f"tests/{file}": group for group, files in SHARING.items() for file in files}


class OneByOne(LoadScopeScheduling):  # type: ignore[misc]
    """xdist's scheduler of whole groups, where most tests are a group of their own."""

    def schedule(self) -> None:
        missing = [file for file in (*_GROUPS, LONGEST) if not (REPOSITORY / file).exists()]
        assert not missing, f"tests/helpers/side_by_side.py names files that are not there: {missing}"
        self.config.option.loadscopereorder = False
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        return _GROUPS.get(nodeid.partition("::")[0], nodeid)
