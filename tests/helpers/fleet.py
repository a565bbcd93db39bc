"""Worker fleets as an operator runs them: dramatiq's command in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from tests.helpers.repository import REPOSITORY
from tests.helpers.waiting import wait_for
from tests.helpers.warm import WarmProcess
from workers import KafkaBroker


class Fleet:
    """One ``dramatiq`` command that runs the numbers app; ends with the ``with`` block."""

    def __init__(
        self,
        broker: KafkaBroker,
        folder: Path,
        *,
        processes: int = 1,
        threads: int = 4,
        name: str = "workers",
        app: str = "tests.apps.numbers",
        options: Sequence[str] = (),
        cold: Sequence[str] = (),
    ) -> None:
        """``options`` are further ones of the command.

        ``cold`` says how a new interpreter is to run the command; without it, `tests.helpers.warm` does.
        """
        self.numbers_file = folder / "numbers"
        self.log_file = folder / f"{name}.log"
        self._cold = cold
        self._command = [app, "--processes", str(processes), "--threads", str(threads), *options]
        self.env = os.environ | {
            "NUMBERS_BOOTSTRAP_SERVERS": broker.cluster.address,
            "NUMBERS_NAMESPACE": broker.topics.namespace,
            "NUMBERS_FILE": str(self.numbers_file),
        }
        self._main: subprocess.Popen[bytes] | WarmProcess | None = None
        self._processes = processes
        self._ready_before = 0

    def start(self) -> None:
        self.note_ready()
        with self.log_file.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            if self._cold:
                self._main = subprocess.Popen(
                    [sys.executable, *self._cold, *self._command],
                    cwd=REPOSITORY,
                    env=self.env,
                    stdin=nothing,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            else:
                self._main = WarmProcess(
                    ["-m", "dramatiq", *self._command],
                    folder=REPOSITORY,
                    env=self.env,
                    stdin=nothing,
                    stdout=log,
                    stderr=log,
                )

    def wait_until_ready(self) -> None:
        """Wait until all processes can take a signal: one that comes earlier ends them as if killed."""
        wait_for(lambda: self._ready_count() - self._ready_before >= self._processes, timeout_s=120)

    def _ready_count(self) -> int:
        return self.log().count("ready for action") if self.log_file.exists() else 0

    @property
    def pid(self) -> int:
        """dramatiq's main process, which leads a process group of its own."""
        assert self._main is not None
        return self._main.pid

    @property
    def worker_pids(self) -> list[int]:
        """The worker processes, without dramatiq's main process."""
        assert self._main is not None
        children = psutil.Process(self._main.pid).children()
        return [child.pid for child in children if "resource_tracker" not in " ".join(child.cmdline())]

    def kill_a_worker(self) -> None:
        """SIGKILL one worker process; dramatiq's main process then ends the others and itself."""
        os.kill(wait_for(self._worker_pids_in_log, timeout_s=120)[0], signal.SIGKILL)

    def _worker_pids_in_log(self) -> list[int]:
        """Those that have logged something: a process that only forks the workers would not."""
        log = self.log()
        return [pid for pid in self.worker_pids if f"[PID {pid}]" in log]

    def has_ended(self) -> bool:
        """Whether the whole command has ended."""
        assert self._main is not None
        return self._main.poll() is not None

    def wait(self, timeout_s: float = 120) -> int:
        """Wait until the whole command has ended."""
        assert self._main is not None
        return self._main.wait(timeout_s)

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """End gracefully, as a supervisor does, and return the exit status."""
        assert self._main is not None
        if self._main.poll() is None:
            self._main.send_signal(signum)
        return self.wait()

    def reload(self) -> None:
        """Let all worker processes end and start anew, in the same main process."""
        self.note_ready()
        os.kill(self.pid, signal.SIGHUP)

    def note_ready(self) -> None:
        """Wait from now on for processes that start after this."""
        self._ready_before = self._ready_count()

    def numbers(self) -> Counter[int]:
        """How often each number was noted."""
        if not self.numbers_file.exists():
            return Counter()
        return Counter(int(line.split()[0]) for line in self.numbers_file.read_text().splitlines())

    def ran_in(self) -> dict[int, set[int]]:
        """The threads that ran jobs, by process."""
        found: dict[int, set[int]] = {}
        for line in self.numbers_file.read_text().splitlines() if self.numbers_file.exists() else []:
            _, pid, thread = map(int, line.split())
            found.setdefault(pid, set()).add(thread)
        return found

    def log(self) -> str:
        return self.log_file.read_text()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._main is not None
        if self._main.poll() is None:
            with suppress(ProcessLookupError):  # it has only just started, and has no group yet
                os.killpg(self._main.pid, signal.SIGKILL)
            self._main.kill()
        self._main.wait(30)
