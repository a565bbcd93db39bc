"""The folder with the files of archived months."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from workers.errors import WorkersError

from ..chain import Head, flaw
from ..reading import Row
from .keys import Keys
from .manifest import Manifest, line_of, row_of


class ArchiveError(WorkersError):
    """A month cannot be archived, or its files cannot be used."""


class ArchiveFolder:
    """Writes the files of months, reads them and checks them. Any number of processes may read.

    Only the user who wrote a file may read it, as the rows say who did what: other rights are given by hand.
    """

    def __init__(self, path: Path, keys: Keys) -> None:
        self.path = path
        self.keys = keys

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing. Raises ArchiveError if one does, or there is no folder."""
        try:
            with (self.path / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError as exc:
            raise ArchiveError(f"another process archives into {self.path} just now") from exc
        except OSError as exc:
            raise ArchiveError(f"AUDIT_ARCHIVE_DIR: {self.path} cannot be written: {exc}") from exc

    def write(self, month: str, rows: Iterable[Row], before: Head) -> Manifest:
        """Write the files of a month, whose rows continue ``before``, and sign them; the manifest comes last.

        In memory that does not grow. Raises ArchiveError if a row does not fit the chain; then no manifest is
        written.
        """
        head, count = before, 0
        with _Written(self._rows(month)) as written:
            for row in rows:
                if wrong := flaw(row, head):
                    raise ArchiveError(
                        f"{wrong}; todo-workers audit verify says more. Nothing of {month} is moved"
                    )
                written.add(line_of(row))
                head, count = Head(row["sequence"], row["hash"]), count + 1
        manifest = Manifest(
            month, before.sequence + 1, head.sequence, count, before.hash, head.hash, written.sha256
        )
        content = manifest.content()
        _write_whole(self._signature(month), self.keys.sign(content))
        _write_whole(self._manifest(month), content)
        return manifest

    def existing(self, month: str) -> Manifest | None:
        """The manifest of a month, if there is one. Raises ArchiveError as `manifest` does."""
        return self.manifest(month) if self._manifest(month).exists() else None

    def manifest(self, month: str) -> Manifest:
        """The manifest of a month. Raises ArchiveError if it is missing, or nobody known has signed it."""
        file, signature = self._manifest(month), self._signature(month)
        content, signed = _read(file), _read(signature)
        if not self.keys.can_check:
            raise ArchiveError(f"{file.name} cannot be checked: set AUDIT_PUBLIC_KEYS_FILE")
        if not self.keys.fits(signed, content):
            raise ArchiveError(f"{file.name} or its signature was changed: no known key has signed it so")
        try:
            return Manifest.parse(content)
        except ValueError as exc:
            raise ArchiveError(f"{file.name} cannot be read: {exc}") from exc

    def rows(self, manifest: Manifest, tell: Callable[[str], object]) -> Iterator[Row]:
        """Yield the rows of a month; ``tell`` is called with whatever is wrong with its file or its chain."""
        file = self._rows(manifest.month)
        if wrong := _wrong_content(file, manifest.sha256):
            tell(wrong)
            return
        head, count = manifest.before, 0
        for row in self.read(manifest.month):
            if broken := flaw(row, head):
                tell(f"{file.name}: {broken}")
            head, count = Head(row["sequence"], row["hash"]), count + 1
            yield row
        if (head, count) != (manifest.head, manifest.rows):
            tell(f"{file.name} ends at row {head.sequence}, its manifest says {manifest.last_sequence}")

    def read(self, month: str) -> Iterator[Row]:
        """Yield the rows of a month, unchecked. Raises ArchiveError."""
        file = self._rows(month)
        try:
            with gzip.open(file) as lines:
                for line in lines:
                    yield row_of(line)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as exc:
            raise ArchiveError(f"{file} cannot be read: {exc}") from exc

    def require_whole(self, wanted: Manifest) -> None:
        """Read a month to its end and check it. Raises ArchiveError if anything is wrong with its files."""
        flaws: list[str] = []
        if self.manifest(wanted.month) != wanted:
            flaws.append(f"{self._manifest(wanted.month).name} is not the one that was written")
        for _ in self.rows(wanted, flaws.append):
            pass
        if flaws:
            raise ArchiveError(flaws[0])

    def open_to_all(self) -> list[Path]:
        """The files that every user of the machine may read."""
        if not _mode(self.path) & stat.S_IXOTH:  # nobody else gets at them
            return []
        return [file for file in sorted(self.path.glob("audit-*")) if _mode(file) & stat.S_IROTH]

    def _rows(self, month: str) -> Path:
        return self.path / f"audit-{month}.jsonl.gz"

    def _manifest(self, month: str) -> Path:
        return self.path / f"audit-{month}.json"

    def _signature(self, month: str) -> Path:
        return self.path / f"audit-{month}.json.sig"


class _Written:
    """A compressed file that is there under its name once the block has ended well, and on the disk."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._part = file.with_name(f"{file.name}.part")
        self._hash = hashlib.sha256()
        self.sha256 = ""

    def __enter__(self) -> _Written:
        self._raw = _new(self._part)
        # Without name and time of the file, the same rows give the same bytes.
        self._packed = gzip.GzipFile("", "wb", fileobj=self, mtime=0)
        return self

    def add(self, line: bytes) -> None:
        self._packed.write(line)

    def write(self, content: bytes) -> int:
        """Take compressed bytes; GzipFile calls it."""
        self._hash.update(content)
        return self._raw.write(content)

    def flush(self) -> None:
        self._raw.flush()

    def __exit__(self, kind: object, exc: object, tb: object) -> None:
        with self._raw:
            self._packed.close()
            self._raw.flush()
            os.fsync(self._raw.fileno())
        if kind is None:
            self.sha256 = self._hash.hexdigest()
            _put_in_place(self._part, self._file)


def _new(part: Path) -> IO[bytes]:
    # One that was left by a call that was killed would keep its mode.
    part.unlink(missing_ok=True)
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _write_whole(file: Path, content: bytes) -> None:
    part = file.with_name(f"{file.name}.part")
    with _new(part) as raw:
        raw.write(content)
        raw.flush()
        os.fsync(raw.fileno())
    _put_in_place(part, file)


def _put_in_place(part: Path, file: Path) -> None:
    part.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as exc:
        raise ArchiveError(f"{file.name} is missing in {file.parent}") from exc
    except OSError as exc:
        raise ArchiveError(f"{file} cannot be read: {exc.strerror}") from exc


def _mode(file: Path) -> int:
    try:
        return file.stat().st_mode
    except OSError:
        return 0  # it went meanwhile


def _wrong_content(file: Path, sha256: str) -> str | None:
    try:
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{file.name} is missing in {file.parent}"
    except OSError as exc:
        return f"{file} cannot be read: {exc.strerror}"
    return None if found == sha256 else f"{file.name} was changed: it is not the file that its manifest is of"
