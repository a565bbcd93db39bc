"""What several brokers on this machine refuse before any of them starts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from workers.errors import LocalKafkaError
from workers.local_kafka import LocalCluster, cluster
from workers.local_kafka.config import Ports
from workers.local_kafka.java import Java

JAVA = Java(Path("/no/such/java"), "", Path("/no/such/archive"))


@pytest.fixture(autouse=True)
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "prepared_java", lambda _: JAVA)


def error_of(brokers: LocalCluster) -> str:
    with pytest.raises(LocalKafkaError) as raised:
        brokers.start()
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_ports_beyond_the_last_one_are_refused() -> None:
    text = error_of(LocalCluster(port=65_534))
    assert text.startswith("3 brokers need the ports from 65534 on, and the last one is 65535; choose 65533")


def test_the_last_ports_may_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[int | None] = []

    def free(port: int | None) -> Ports:
        chosen.append(port)
        return Ports(port or 1, 2, 3)

    monkeypatch.setattr(cluster, "free_ports", free)
    assert "Java cannot be run" in error_of(LocalCluster(port=65_533))
    assert chosen == [65_533, 65_534, 65_535]


def test_a_disk_that_is_full_is_a_line_that_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    text = error_of(LocalCluster(data_dir=tmp_path))
    assert text.startswith(f"The data directory {tmp_path}/broker-1 cannot be written: No space left on")


def test_a_file_instead_of_a_folder_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "broker-2").touch()
    assert f"{tmp_path}/broker-2 cannot be written: " in error_of(LocalCluster(data_dir=tmp_path))


def test_the_folder_of_one_broker_is_not_taken_for_several(tmp_path: Path) -> None:
    written(tmp_path)
    text = error_of(LocalCluster(data_dir=tmp_path))
    assert text.startswith(f"The data directory {tmp_path} has the data of one broker")
    assert not (tmp_path / "broker-1").exists()
    written(tmp_path / "broker-1")  # several have run there as well
    assert "Java cannot be run" in error_of(LocalCluster(data_dir=tmp_path))


def written(folder: Path) -> None:
    meta = folder / "log" / "meta.properties"
    meta.parent.mkdir(parents=True)
    meta.write_text("version=1\ncluster.id=some\n")
