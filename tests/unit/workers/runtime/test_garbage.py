"""How often the collector of cyclic garbage runs in a process that asks for it."""

from __future__ import annotations

import json

from tests.helpers.programs import output_of, run_python

_CODE = """if True:
    import gc, json, fastapi
    from workers.runtime.garbage import THRESHOLDS, make_collections_rare
    make_collections_rare()
    class Node: pass
    collections = []
    gc.callbacks.append(lambda phase, info: phase == "stop" and collections.append(info))
    for _ in range(30_000):  # cycles
        node = Node()
        node.itself = node
    kept = [Node() for _ in range(200_000)]
    print(json.dumps({
        "frozen": gc.get_freeze_count(),
        "all": sum(one["generation"] == 2 for one in collections),
        "freed": sum(one["collected"] for one in collections),
    }))
"""


def test_objects_that_stay_bring_no_collection_of_all_and_cycles_are_still_freed() -> None:
    found = json.loads(output_of(run_python("-c", _CODE)))
    assert found["frozen"] > 20_000
    assert found["all"] == 0
    assert found["freed"] > 25_000
