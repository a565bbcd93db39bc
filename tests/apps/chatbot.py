"""The chatbot's own actors, for a fleet of the tests; the environment holds its settings."""

from __future__ import annotations

from tasks import broker

__all__ = ["broker"]
