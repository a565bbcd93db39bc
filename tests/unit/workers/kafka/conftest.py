"""Fixtures for the tests of what stands between the workers and kafka-python."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """kafka-python's logger, and those below it, as in a program that has not connected yet."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("kafka.")]
    loggers = [logging.getLogger(name) for name in ("kafka", *names)]
    before = [(logger.level, logger.filters[:]) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.NOTSET)
        logger.filters.clear()
    yield loggers[0]
    for logger, (level, filters) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.filters[:] = filters
