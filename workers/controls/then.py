"""What becomes of a job that a switch matches. Imports nothing: `--help` reads it."""

from __future__ import annotations

from enum import StrEnum


class Then(StrEnum):
    """What becomes of a job that a switch matches."""

    HOLD = "hold"
    DISCARD = "discard"
