"""Reads the letters that an index has found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from ...kafka import Cluster, TopicPartition
from ...kafka.topic_reader import TopicReader
from ..filter import Filter
from ..reader import Advance, Entry
from ..topic.letter_record import decode
from .table import Index


class IndexLetters:
    """The letters as a search wants them, see `selection.Letters`, found by the index.

    Each reading has a connection of its own. A letter that the index does not know yet is left out.
    """

    def __init__(self, cluster: Cluster, topic: str, index: Callable[[], Index]) -> None:
        self._cluster = cluster
        self._topic = topic
        self._index = index

    def matching(self, wanted: Filter, progress: Advance) -> Iterator[Entry]:
        """The letters that match, in the order of the log's partitions."""
        places = self._index().places(wanted)
        for entry in self.at(places, progress):
            if wanted.matches(entry.letter):
                yield entry

    def at(self, places: Mapping[int, Sequence[int]], progress: Advance = lambda *_: None) -> Iterator[Entry]:
        """The letters at these places, those that are unresolved and unchanged when they are reached.

        ``progress`` counts also those that are resolved by then.
        """
        if not places:
            return
        read, total = 0, sum(map(len, places.values()))
        index = self._index()
        with TopicReader(self._cluster, self._topic) as reader:
            for partition, offsets in places.items():
                for record in reader.read_at(TopicPartition(self._topic, partition), offsets):
                    read += 1
                    progress(read, total)
                    if record.key is None or not index.holds(partition, record.offset, record.key):
                        continue
                    letter = decode(record.value or b"", record.headers)
                    yield Entry(letter, record, index.older(partition, record.key))
