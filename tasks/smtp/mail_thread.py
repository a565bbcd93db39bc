"""The thread that has the event loop and the connections of a mailer."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from .mail import Mail, MailNotSent
from .pool import Pool
from .submission import Submission

logger = logging.getLogger(__name__)


class MailThread:
    """Runs a pool from now until :meth:`finish`; should it end before, it answers what it has in hand.

    ``lock`` is its owner's: it is held where :meth:`put` is called, and must not be where others are.
    """

    def __init__(self, lock: threading.Lock, make_pool: Callable[[asyncio.AbstractEventLoop], Pool]) -> None:
        self.is_running = True
        self._lock = lock
        self._inbox: deque[Submission | Mail] = deque()
        self._is_woken = False
        self._loop = asyncio.new_event_loop()
        self._pool = make_pool(self._loop)
        self._finishing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="mailer", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._loop.close()
            raise

    def put(self, *items: Submission | Mail) -> None:
        """Have mails sent, or, for a bare mail, the connection go on that is held for it.

        Wakes the thread once for all that come before it looks.
        """
        self._inbox.extend(items)
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # the thread is about to end, and answers what is in the inbox
                self._loop.call_soon_threadsafe(self._take_in)

    def finish(self) -> None:
        """Return when all mails are answered, the server is left and the thread has ended."""
        with suppress(RuntimeError):  # it has ended before
            self._loop.call_soon_threadsafe(self._finishing.set)
        self._thread.join()

    def _take_in(self) -> None:
        self._is_woken = False
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, Submission):
                self._pool.send(item)
            else:
                self._pool.settled(item)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._until_finished())
            except BaseException:
                logger.exception("mailer.died: its mails are not sent, the next one starts it again")
            finally:
                runner.run(self._end())

    async def _until_finished(self) -> None:
        await self._finishing.wait()
        await self._pool.finish()

    async def _end(self) -> None:
        with self._lock:
            self.is_running = False
            left = [item for item in self._inbox if isinstance(item, Submission)]
        self._pool.give_up(left, MailNotSent("The mailer's thread ended before the mail was sent"))
        await asyncio.sleep(0)  # what is closed there closes in the loop's next round
