"""Checks that the installed kafka-python is one that the pool runs with. Imports nothing of it."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version

#: The series whose private parts :mod:`workers.kafka.patches` knows, and its first release that will do.
SERIES, FIRST_RELEASE = "3.0", 12
#: The same for pip.
REQUIREMENT = f"kafka-python[crc32c,lz4,snappy,zstd]~={SERIES}.{FIRST_RELEASE}"


def require_supported() -> None:
    """Raise UnsupportedLibrary if another kafka-python is installed, or none; imports nothing of it."""
    try:
        found = version("kafka-python")
    except PackageNotFoundError:
        found = "none"
    release = re.match(rf"{re.escape(SERIES)}\.(\d+)", found)
    if release is None or int(release[1]) < FIRST_RELEASE:
        from ...errors import UnsupportedLibrary  # noqa: PLC0415 - takes dramatiq's time, and is seldom needed

        raise UnsupportedLibrary(
            f"kafka-python {found} is installed, {SERIES}.{FIRST_RELEASE} or a later {SERIES} is needed: "
            f"pip install '{REQUIREMENT}'"
        )
