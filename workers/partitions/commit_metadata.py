"""Writes what is done above the committed position as the metadata of the commit. Pure: no I/O.

Layout, version 1, ASCII: ``tw1`` and one section per kind, separated by blanks; a section is a letter and a
base85 payload, whose first four bytes are the CRC-32 of the position in decimal and the rest: a blob that was
damaged, or that belongs to another position, must not pass for jobs that are done. Readers skip sections they
do not know.

=======  =====================================================================================
section  payload
=======  =====================================================================================
``r``    run lengths as LEB128 varints: undone, done, undone ... from the position on, up to the end
``b``    a raw deflated bitmap: bit n (lowest first) is set where position + n is undone, then the
         length in bits as four bytes, big-endian, in front
``o``    the process that holds the partition, as its `Memberships` name it, in ASCII
``f``    empty: all threads of that process have been busy for a while
``w``    how many records that process has fetched and not handed out, in decimal
``d``    deaths: a byte that is 1 if a live owner holds the partition, else 0; then pairs of
         varints, in rising order: offset above the one before (the first: above the position) and
         deaths seen
=======  =====================================================================================

Of ``r`` and ``b`` the shorter one is written.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from .crash_counts import CrashCounts
from .ledger import Progress

#: Kafka's default ``offset.metadata.max.bytes``: it refuses a commit with longer metadata.
MAX_CHARS = 4096
#: From this length on no new jobs of the partition are started until its oldest finish.
FULL_CHARS = MAX_CHARS * 3 // 4

_MAGIC = "tw1"
#: Limits for the reader: text that holds more is not ours, and must not fill the memory.
_MAX_BITS = 1 << 20
_MAX_UNDONE = 1 << 17


class Load(NamedTuple):
    """How much the process that holds a partition has to do, for those that would pass jobs on to it.

    ``busy``: none of its threads has been free for a while. ``waiting``: records of the partition that it has
    fetched and not handed out.
    """

    busy: bool = False
    waiting: int = 0


def encode(
    progress: Progress,
    crashes: CrashCounts = CrashCounts(),  # noqa: B008 - frozen, and empty
    load: Load = Load(),  # noqa: B008 - the same
) -> str:
    """Write what is open and what is done above ``progress.position``, and who holds the partition.

    Empty if nothing is open and nobody holds the partition. If it would be longer than MAX_CHARS, the offsets
    furthest above the position are left out: they count as unknown, so after a crash they run again.
    """
    held = _crash_section(progress.position, crashes) + _load_sections(load)
    if not progress.undone:
        return f"{_MAGIC}{held}" if held else ""
    while len(text := f"{_MAGIC}{held} {_shortest(progress)}") > MAX_CHARS:
        kept = progress.undone[: len(progress.undone) // 2]
        progress = Progress(kept, progress.undone[len(kept)])
    return text


def decode(position: int, text: str) -> Progress:
    """Read what :func:`encode` wrote; nothing is done above ``position`` if the text is not ours."""
    unknown = Progress((), position)
    magic, *sections = text.split(" ")
    if magic != _MAGIC:
        return unknown
    try:
        for section in sections:
            if section.startswith("r"):
                return _from_runs(position, _checked(position, section))
            if section.startswith("b"):
                return _from_bitmap(position, _checked(position, section))
    except (ValueError, zlib.error):
        return unknown
    return unknown


def decode_load(text: str) -> Load:
    """Read the load that :func:`encode` wrote; none if the text is not ours."""
    magic, *sections = text.split(" ")
    if magic != _MAGIC:
        return Load()
    counts = [int(each[1:]) for each in sections if each.startswith("w") and each[1:].isdecimal()]
    return Load("f" in sections, sum(counts))


def _load_sections(load: Load) -> str:
    return (" f" if load.busy else "") + (f" w{load.waiting}" if load.waiting else "")


def decode_crash_counts(position: int, text: str) -> CrashCounts:
    """Read the crash counts that :func:`encode` wrote; none if the text is not ours."""
    magic, *sections = text.split(" ")
    found = CrashCounts()
    try:
        for section in sections if magic == _MAGIC else ():
            if section.startswith("d"):
                found = _to_crash_counts(position, _checked(position, section))
            elif section.startswith("o"):
                found = replace(found, owner=_checked(position, section).decode())
    except ValueError:
        return CrashCounts()
    return found


def _crash_section(position: int, crashes: CrashCounts) -> str:
    deaths = {offset: seen for offset, seen in sorted(crashes.deaths.items()) if offset >= position}
    owner = f" o{_sealed(position, crashes.owner.encode())}" if crashes.owner else ""
    if not crashes.held and not deaths:
        return owner
    payload = bytearray([crashes.held])
    before = position
    for offset, seen in deaths.items():
        payload += _varint(offset - before) + _varint(seen)
        before = offset
    return f" d{_sealed(position, bytes(payload))}{owner}"


def _to_crash_counts(position: int, payload: bytes) -> CrashCounts:
    numbers = list(_varints(payload[1:]))
    deaths: dict[int, int] = {}
    offset = position
    for gap, seen in zip(numbers[::2], numbers[1::2], strict=True):
        offset += gap
        deaths[offset] = seen
    return CrashCounts(payload[:1] == b"\1", deaths)


def _shortest(progress: Progress) -> str:
    span = progress.end - progress.position
    payloads = [("r", _to_runs(progress))]
    if span <= _MAX_BITS and len(progress.undone) > 1:
        payloads.append(("b", _to_bitmap(progress)))
    kind, payload = min(payloads, key=lambda candidate: len(candidate[1]))
    return f"{kind}{_sealed(progress.position, payload)}"


def _sealed(position: int, payload: bytes) -> str:
    return base64.b85encode(_checksum(position, payload) + payload).decode()


def _checked(position: int, section: str) -> bytes:
    raw = base64.b85decode(section[1:])
    checksum, payload = raw[:4], raw[4:]
    # Some texts that were damaged in their last character give the same bytes.
    if checksum != _checksum(position, payload) or base64.b85encode(raw).decode() != section[1:]:
        raise ValueError("damaged, or of another position")
    return payload


def _checksum(position: int, payload: bytes) -> bytes:
    return zlib.crc32(payload, zlib.crc32(str(position).encode())).to_bytes(4, "big")


def _to_runs(progress: Progress) -> bytes:
    out = bytearray()
    for length in _runs(progress):
        out += _varint(length)
    return bytes(out)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _runs(progress: Progress) -> Iterator[int]:
    """Lengths of the undone and done runs in turn, from the position up to the end."""
    start = end = progress.undone[0]
    for offset in progress.undone:
        if offset != end:
            yield end - start
            yield offset - end
            start = offset
        end = offset + 1
    yield end - start
    if progress.end > end:
        yield progress.end - end


def _from_runs(position: int, payload: bytes) -> Progress:
    undone: list[int] = []
    offset, is_undone = position, True
    for length in _varints(payload):
        if length < 1 or (is_undone and len(undone) + length > _MAX_UNDONE):
            raise ValueError("not a run length")
        if is_undone:
            undone.extend(range(offset, offset + length))
        offset += length
        is_undone = not is_undone
    if not undone:
        raise ValueError("no runs")
    return Progress(tuple(undone), offset)


def _varints(payload: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in payload:
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            yield value
            value = shift = 0
        elif shift > 63:
            raise ValueError("varint too long")
    if shift:
        raise ValueError("varint cut short")


def _to_bitmap(progress: Progress) -> bytes:
    bits = progress.end - progress.position
    bitmap = bytearray((bits + 7) // 8)
    for offset in progress.undone:
        index = offset - progress.position
        bitmap[index >> 3] |= 1 << (index & 7)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return bits.to_bytes(4, "big") + deflater.compress(bytes(bitmap)) + deflater.flush()


def _from_bitmap(position: int, payload: bytes) -> Progress:
    bits = int.from_bytes(payload[:4], "big")
    if not 0 < bits <= _MAX_BITS:
        raise ValueError("not a bitmap's length")
    bitmap = zlib.decompressobj(-15).decompress(payload[4:], (bits + 7) // 8)
    if len(bitmap) != (bits + 7) // 8 or not bitmap[0] & 1:
        raise ValueError("not a bitmap of undone offsets")
    undone = (
        position + (at << 3) + bit
        for at, byte in enumerate(bitmap)
        if byte
        for bit in range(8)
        if byte >> bit & 1
    )
    return Progress(tuple(offset for offset in undone if offset < position + bits), position + bits)
