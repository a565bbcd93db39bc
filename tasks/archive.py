"""The folder that months of the audit trail are moved to, made from the settings.

Apart from `app`, as workers have no use for it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .app import kept_days, settings
from .audit.archive.folder import ArchiveError, ArchiveFolder
from .audit.archive.keys import Keys
from .audit.archive.months import month_of, plus, start_of


def archive_folder() -> ArchiveFolder | None:
    """Return the folder of the archive; None if none is set. Raises ArchiveKeyError."""
    audit = settings.audit
    if audit.archive_dir is None:
        return None
    return ArchiveFolder(audit.archive_dir, Keys(audit.key_file, audit.public_keys_file))


def folder_to_write() -> ArchiveFolder:
    """Return the folder, with a key to sign. Raises ArchiveError or ArchiveKeyError."""
    folder = archive_folder()
    if folder is None:
        raise ArchiveError("there is no folder to move months to: set AUDIT_ARCHIVE_DIR")
    if not folder.keys.can_sign:
        raise ArchiveError("there is no key to sign with: set AUDIT_KEY_FILE")
    return folder


def archived_until(now: datetime, months: int) -> datetime:
    """Return the time before which a month must have ended to be archived: so many months ago.

    But what was recorded within DELIVERY_KEPT_DAYS stays: its events may come again, and must be known.
    """
    wanted = start_of(plus(month_of(now), -months))
    return min(wanted, now.astimezone(UTC) - timedelta(days=kept_days["delivery_days"]))
