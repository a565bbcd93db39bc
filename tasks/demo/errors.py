"""What can go wrong with the demo itself."""

from __future__ import annotations

from pathlib import Path

from workers.errors import WorkersError


class DemoFailed(WorkersError):
    """The demo could not go on; ``log_file``, where there is one, tells more."""

    def __init__(self, message: str, log_file: Path | None = None) -> None:
        super().__init__(message)
        self.log_file = log_file

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log file."""
        if self.log_file is None or not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])
