"""A worker boots only with what operators have decided, whatever goes wrong before."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import dramatiq
import pytest

from workers.broker.signals import SignallingBroker
from workers.errors import KafkaUnreachable, WorkerCannotStart
from workers.middleware.boot_check import BootCheck


class Broker(SignallingBroker):
    """A broker that has nothing to prepare."""

    def prepare(self) -> list[str]:
        return []


def booting(error: Exception, *, in_command: bool) -> tuple[Broker, Any]:
    def fail(_: dramatiq.Worker) -> None:
        raise error

    check = BootCheck(fail)
    broker = Broker([check])
    if in_command:
        check.after_process_boot(broker)
    return broker, Mock()


@pytest.mark.parametrize("error", [KafkaUnreachable("away"), TypeError("unforeseen")])
def test_no_worker_boots_without_its_controls(error: Exception) -> None:
    broker, worker = booting(error, in_command=False)
    with pytest.raises(WorkerCannotStart, match=str(error)):
        broker.emit_before("worker_boot", worker)


@pytest.mark.parametrize(
    ("error", "has_traceback"), [(KafkaUnreachable("away"), False), (TypeError("unforeseen"), True)]
)
def test_a_worker_process_ends_instead(
    error: Exception, has_traceback: bool, caplog: pytest.LogCaptureFixture
) -> None:
    broker, worker = booting(error, in_command=True)
    with pytest.raises(SystemExit) as ended:
        broker.emit_before("worker_boot", worker)
    assert ended.value.code == 3
    assert ("Traceback" in caplog.text) is has_traceback
