"""The line that says what the serving processes do."""

from __future__ import annotations

from workers.cli.progress_line import ProgressLine, Rate, Status, number


class Progress(ProgressLine):
    """Prints what the processes do: see `ProgressLine`."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__(_words, as_json=as_json)


def _words(status: Status, rate: Rate) -> str:
    following = "" if status["following"] else ", NOT FOLLOWING THE LOG"
    return (
        f"clients {status['clients']:,}, events {rate('events'):,}/s, frames {rate('sent'):,}/s, "
        f"came back {status['resumed']:,}, loaded anew {status['resynced']:,}, "
        f"too slow {status['too_slow']:,}, skipped {status['skipped']:,}, "
        f"ring {number(status, 'ring_bytes') / 2**20:.0f} MB{following}"
    )
