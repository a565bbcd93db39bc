"""Sets how often Python's collector of cyclic garbage runs.

A collection of all generations stops the process for 0.9 ms for each thousand objects. A worker has some
ninety thousand with its modules, and a live connection about a hundred: with 10,000 connections it takes a
second.
"""

from __future__ import annotations

import gc

#: Generation 0 is collected after 2,000 new objects, less those that were freed, generation 1 after ten times
#: that, and all after 5,000,000, which are 50,000 connections. By default it is 700, 7,000 and 70,000.
THRESHOLDS = (2_000, 10, 250)


def make_collections_rare() -> None:
    """Collect all generations less often, and what is there now, such as the modules, never again.

    A closed live connection leaves some thirty objects to the collector. All else is freed with the last
    reference to it.
    """
    # Nothing is collected before: loading modules leaves next to no garbage, and to look for it takes 50 ms.
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
