"""Whether audio goes on behind the place where the header says that it ends: decoders stop there without a word.

WAV, AIFF, W64, AU   more than a little behind the data, and no chunk
Ogg                  the last page belongs to a stream that did not begin at the start (RFC 3533, chaining)
MP3                  another frame where, by its Xing header, the last one ends
FLAC                 the last frames have numbers behind the total (RFC 9639, section 9.1)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import BinaryIO

from gmmaudio.corpus.containers import Header

_LITTLE = 4096  # bytes that may be anything
_TAIL = 2**17
_BLOCK_SIZES = (0, 192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)  # section 9.1.1


def goes_on(file: BinaryIO, size: int, header: Header) -> bool:
    """Whether there is more audio than the header says.

    Parameters
    ----------
    file : binary file
        Open for reading, seekable.
    size : int
        Its length in bytes.
    header : Header
        What `gmmaudio.corpus.containers.read_header` found in it.

    Returns
    -------
    bool
        False also where that cannot be told.

    Examples
    --------
    >>> from io import BytesIO
    >>> goes_on(BytesIO(b"hello, world"), 12, Header("text"))
    False
    """
    if header.kind.startswith("Ogg"):
        return _chained(_at(file, 0, 8192), _at(file, max(0, size - _TAIL), _TAIL))
    if header.kind == "FLAC":
        return _more_flac(_at(file, 0, 42), _at(file, max(0, size - _TAIL), _TAIL))
    if header.kind == "MP3":
        return _more_mp3(file, size)
    if header.promised:
        return _more_samples(file, size, header.present - header.promised, header.kind != "AU")
    return False


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _more_samples(file: BinaryIO, size: int, rest: int, chunks: bool) -> bool:
    if rest <= _LITTLE:
        return False
    head = _at(file, size - rest, 64)
    chunk = re.match(rb"\0?(?!RIFF|FORM)[ -~]{4}", head)  # an identifier, perhaps behind a byte of padding
    return any(head) and not (chunks and chunk)


def _chained(head: bytes, tail: bytes) -> bool:
    """Whether the serial number of the last page is none of the streams' that begin together at the start."""
    serials, at = set(), 0
    while head[at : at + 4] == b"OggS" and len(head) > at + 27 and head[at + 5] & 0x02:
        serials.add(head[at + 14 : at + 18])
        segments = head[at + 27 : at + 27 + head[at + 26]]
        at += 27 + len(segments) + sum(segments)
    last = tail[tail.rfind(b"OggS") :][14:18]
    return bool(serials) and len(last) == 4 and last not in serials


def _more_mp3(file: BinaryIO, size: int) -> bool:
    """Whether a frame of the same kind, or a tag before one, follows what the Xing header counts."""
    start = _behind_id3(file)
    first = _at(file, start, 256)
    mark = max(first.find(b"Xing"), first.find(b"Info"))
    if mark < 0:
        return False
    flags = int.from_bytes(first[mark + 4 : mark + 8])
    place = mark + 8 + 4 * (flags & 1)  # the number of bytes follows the number of frames, where that is given
    if not flags & 2 or len(first) < place + 4:
        return False
    length = int.from_bytes(first[place : place + 4])
    if size - start - length <= max(_LITTLE, length // 100):
        return False
    follows = _at(file, start + length, 3)
    return follows == b"ID3" or (follows[:1] == b"\xff" and follows[1:2] == first[1:2])


def _behind_id3(file: BinaryIO) -> int:
    head = _at(file, 0, 10)
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    a, b, c, d = (byte & 0x7F for byte in head[6:])
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _more_flac(head: bytes, tail: bytes) -> bool:
    """Whether the last two frames that follow each other begin at or behind the stream's total of samples."""
    if head[:4] != b"fLaC" or len(head) < 42 or head[4] & 0x7F:
        return False
    nominal, total = int.from_bytes(head[10:12]), int.from_bytes(head[21:26]) & (1 << 36) - 1
    for (variable, number, block), (_, following, _) in reversed(list(pairwise(_flac_frames(tail)))):
        # Two in a row are no accident; the last block may be shorter, and some encoders number what varies.
        if following == number + (block if variable else 1) and (variable or block == nominal):
            return 0 < total <= (following if variable else following * block)
    return False


def _flac_frames(data: bytes) -> Iterator[tuple[bool, int, int]]:
    """Whether the blocks vary, the frame's or sample's number, and the block size, of each frame header."""
    for match in re.finditer(rb"\xff[\xf8\xf9]", data):
        head = data[match.start() : match.start() + 16]
        if len(head) == 16 and (found := _flac_header(head)) is not None:
            yield found


def _flac_header(head: bytes) -> tuple[bool, int, int] | None:
    size, rate = head[2] >> 4, head[2] & 15
    extra = max(0, 7 - (head[4] ^ 0xFF).bit_length() - 1) if head[4] & 0x80 else 0  # bytes after the first
    at = 5 + extra
    number = head[4] & (0x7F if not extra else 0x3F >> extra)
    for byte in head[5:at]:
        number = number << 6 | byte & 0x3F
    wide = {6: 1, 7: 2}.get(size, 0)
    block = int.from_bytes(head[at : at + wide]) + 1 if wide else _BLOCK_SIZES[size]
    at += wide + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    valid = size > 0 and rate < 15 and at < 16 and _crc8(head[:at]) == head[at]
    return (bool(head[1] & 1), number, block) if valid else None


def _crc8(data: bytes) -> int:
    """The cyclic redundancy check with x^8 + x^2 + x + 1 (RFC 9639, section 9.1.8)."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc
