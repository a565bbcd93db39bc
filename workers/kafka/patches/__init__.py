"""Faults of kafka-python that the pool mends in its own clients: one module each, which names the fault.

They reach into kafka-python's private parts, so importing this package first looks whether the installed
kafka-python is of the series that they were written for. No client of anybody else is touched. For each patch
a test shows the fault of the original; it tells when a new kafka-python no longer has it.
"""

from __future__ import annotations

from ...kafka_python import require_supported

require_supported()
