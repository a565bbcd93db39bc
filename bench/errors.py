"""Errors of the benchmark."""

from __future__ import annotations


class NotMeasured(Exception):
    """A contestant could not be measured; the text says why."""
