"""Pages that many viewers ask for anew at the same moment: each is made once for all who see the same."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

#: How long a page is given again, and how many are kept.
_FRESH_S = 1.0
_KEPT = 64


@dataclass
class _Made(Generic[T]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    page: T | None = None
    made_at: float = 0.0


class SharedPages(Generic[T]):
    """Pages that several readers share: of those who ask for one, one makes it. For any thread."""

    def __init__(self, may_share: Callable[[T], bool], clock: Callable[[], float] = time.monotonic) -> None:
        """``may_share`` says whether what was made is given to others, too."""
        self._may_share = may_share
        self._clock = clock
        self._lock = threading.Lock()
        self._made: OrderedDict[Hashable, _Made[T]] = OrderedDict()

    def page(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, or returned for this key a moment ago. Raises what it raises."""
        with self._lock:
            made = self._made.setdefault(key, _Made())
            self._made.move_to_end(key)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        with made.lock:
            if made.page is not None and self._clock() - made.made_at < _FRESH_S:
                return made.page
            found = make()
            made.page, made.made_at = found if self._may_share(found) else None, self._clock()
            return found
