"""Mends faults of kafka-python in the pool's own clients: one module each, which names the fault.

The patches use kafka-python's private parts, so importing this package first checks that the installed
kafka-python is of the series that they were written for. No client of anybody else is touched. For each patch
a test shows the fault of the original, and fails when a new kafka-python no longer has it.
"""

from __future__ import annotations

from .supported import require_supported

require_supported()
