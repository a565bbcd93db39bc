"""Several Kafka brokers on this machine, each of which is a controller as well: what happens if one dies?

Each is a JVM in a directory of its own, as that of `LocalKafka`, with less memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import LocalKafkaError
from . import config
from .config import Ports
from .data_dir import DataDir
from .jars import default_cache_dir
from .node import Node, is_formatted
from .ports import free_ports, start_on_free_ports
from .server import prepared_java

#: The heap of each broker in MiB, at most.
HEAP_MIB = 256
_POLL_INTERVAL_S = 0.1
_LAST_PORT = 65_535


class LocalCluster:
    """Three brokers or more; use it as a context manager, or call :meth:`start` and :meth:`stop`.

    Parameters:
        brokers: how many; their numbers begin with 1.
        port: of the first one's listener for clients, the others have the next ones; None takes free ones.
        data_dir: kept between starts, with a folder for each broker; None takes temporary ones.
        cache_dir: where the downloaded jars are.
    """

    def __init__(
        self,
        *,
        brokers: int = 3,
        port: int | None = None,
        data_dir: Path | None = None,
        cache_dir: Path | None = None,
    ) -> None:
        self._chosen = {number: port and port + number - 1 for number in range(1, brokers + 1)}
        self._data_dir = data_dir
        self._cache_dir = cache_dir
        #: The brokers by their numbers.
        self.nodes: Mapping[int, Node] = {
            number: Node(DataDir(data_dir and _folder(data_dir, number))) for number in self._chosen
        }
        self._ports: Mapping[int, Ports] = {}
        self._java: list[str] = []

    @property
    def addresses(self) -> Mapping[int, str]:
        """The address of each broker for clients, once they have started."""
        return {number: f"127.0.0.1:{ports.client}" for number, ports in self._ports.items()}

    @property
    def bootstrap_servers(self) -> str:
        """The addresses in one line."""
        return ",".join(self.addresses.values())

    def start(self) -> None:
        """Start all, and wait until they take connections.

        Raises LocalKafkaError; then nothing is left running.
        """
        try:
            self._check_ports()
            with _of_its_folder(self.nodes[1]):
                self._check_folder()
            for node in self.nodes.values():
                with _of_its_folder(node):
                    node.data.open()
            java = prepared_java((self._cache_dir or default_cache_dir()).absolute())
            self._java = java.command(heap_mib=HEAP_MIB)
            start_on_free_ports(self._start_on_ports, self._end_all, self._chosen.values())
        except BaseException:
            self.stop()
            raise

    def start_again(self, number: int) -> None:
        """Start a broker that has ended, with its data, and wait until it takes connections.

        Raises LocalKafkaError.
        """
        node = self.nodes[number]
        node.end()
        with _of_its_folder(node):
            node.spawn(self._java)
            node.wait_until_started()

    def stop(self) -> None:
        """Stop all, and remove what is temporary. Does nothing if none is running."""
        self._end_all()
        for node in self.nodes.values():
            node.data.close()

    def deaths(self) -> Iterator[int]:
        """The numbers of brokers as they end by themselves, until none runs. For one thread."""
        running = {number: node.guard for number, node in self.nodes.items() if node.guard is not None}
        while running:
            for number in [number for number, guard in running.items() if guard.poll() is not None]:
                del running[number]
                yield number
            time.sleep(_POLL_INTERVAL_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def _check_ports(self) -> None:
        last = _LAST_PORT - len(self._chosen) + 1
        if (self._chosen[1] or 0) > last:
            raise LocalKafkaError(
                f"{len(self._chosen)} brokers need the ports from {self._chosen[1]} on, and the last one is "
                f"{_LAST_PORT}; choose {last} or less, or 0 for free ones"
            )

    def _check_folder(self) -> None:
        """Brokers that are new would begin without the topics that one broker has kept there."""
        folder = self._data_dir
        if folder is None or not is_formatted(folder):
            return
        if not any(is_formatted(_folder(folder, number)) for number in self.nodes):
            raise LocalKafkaError(
                f"The data directory {folder} has the data of one broker, which several cannot take over; "
                "start one, or choose another directory"
            )

    def _start_on_ports(self) -> None:
        self._ports = {number: free_ports(chosen) for number, chosen in self._chosen.items()}
        known = {node.cluster_id for node in self.nodes.values()} - {None}
        cluster_id = known.pop() if known else None
        for number, node in self.nodes.items():
            with _of_its_folder(node):
                properties = node.data.path / config.PROPERTIES_FILE
                properties.write_text(config.member_properties(number, self._ports))
                node.format(self._java, cluster_id=cluster_id)
                cluster_id = node.cluster_id
        # None of them has started before it knows the others.
        for node in self.nodes.values():
            with _of_its_folder(node):
                node.spawn(self._java)
        for node in self.nodes.values():
            with _of_its_folder(node):
                node.wait_until_started()

    def _end_all(self) -> None:
        """All at once: a controller that is alone waits for the others, for as long as it may."""
        for node in self.nodes.values():
            node.ask_to_end()
        for node in self.nodes.values():
            node.end()


def _folder(data_dir: Path, number: int) -> Path:
    return data_dir / f"broker-{number}"


@contextmanager
def _of_its_folder(node: Node) -> Iterator[None]:
    """A file of the node that cannot be written is an error that names its folder."""
    try:
        yield
    except OSError as exc:
        raise node.data.error(exc) from exc
