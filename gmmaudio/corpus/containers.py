"""What a file's own bytes say: which container it is, and how much audio it promises.

The decoder's success is no evidence of a whole clip: it recomputes the length of a WAV from the file's size,
and ends an Ogg where the pages end. So the few facts that settle such questions are read here, with bounded
reads and without trusting a single number found.

    WAV (RIFF, RIFX, RF64), AIFF, W64    chunks: an identifier, a length, the body
    AU                                   the length stands in the header
    Ogg                                  the last page carries an end-of-stream flag
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

READABLE = frozenset({"WAV", "AIFF", "FLAC", "MP3", "W64", "AU", "CAF", "SPHERE", "Ogg Vorbis", "Ogg Opus", "Ogg FLAC"})
"""Kinds of audio that the decoder knows."""

BY_PYAV = frozenset({"MP4 or M4A (AAC)", "AAC", "WMA (ASF)", "Matroska or WebM"})
"""Kinds of audio that PyAV decodes, where it is installed."""

FOREIGN = frozenset(
    {
        "AVI",
        "AMR",
        "Monkey's Audio",
        "WavPack",
        "Musepack",
        "RealAudio",
        "DSD",
    }
)
"""Kinds of audio that no decoder here knows."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "WAV"),
    (8, b"AVI ", "AVI"),
    (8, b"AIFF", "AIFF"),
    (8, b"AIFC", "AIFF"),
    (0, b"fLaC", "FLAC"),
    (0, b"riff\x2e\x91\xcf\x11", "W64"),
    (0, b".snd", "AU"),
    (0, b"caff", "CAF"),
    (0, b"NIST_1A", "SPHERE"),
    (29, b"vorbis", "Ogg Vorbis"),
    (28, b"OpusHead", "Ogg Opus"),
    (29, b"FLAC", "Ogg FLAC"),
    (0, b"OggS", "Ogg with another codec"),
    (4, b"ftyp", "MP4 or M4A (AAC)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA (ASF)"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"#!AMR", "AMR"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"wvpk", "WavPack"),
    (0, b"MPCK", "Musepack"),
    (0, b"MP+", "Musepack"),
    (0, b".ra\xfd", "RealAudio"),
    (0, b"DSD ", "DSD"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"GIF8", "a GIF picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "gzip data"),
    (0, b"\xff\xfe", "text in UTF-16"),
    (0, b"version https://git-lfs", "a Git LFS pointer: the audio itself was not fetched"),
)


@dataclass(frozen=True)
class WavFormat:
    """A WAV file's ``fmt`` chunk; tag 1 is integer, 3 is float; 0xFFFE is replaced by what it points to."""

    tag: int
    channels: int
    rate: int
    bits: int


@dataclass(frozen=True)
class Header:
    """What the bytes say.

    Parameters
    ----------
    kind : str
        The container, or what the file seems to be instead, in words.
    promised : int or None
        Bytes of samples that the header promises; None where it says nothing.
    present : int
        Bytes from the first sample to the end of the file; 0 where ``promised`` is None.
    wav : WavFormat or None
        The format of a WAV.
    ends : bool
        False for an Ogg without the end-of-stream flag on a whole last page.
    goes_on : bool
        Whether audio stands behind what is promised (`gmmaudio.corpus.excess.goes_on`).
    tagged : bool
        Whether a FLAC ends with an ID3v1 tag, which its decoder takes for damage.
    """

    kind: str
    promised: int | None = None
    present: int = 0
    wav: WavFormat | None = None
    ends: bool = True
    goes_on: bool = False
    tagged: bool = False

    @property
    def coding(self) -> str:
        """The container, and of a WAV the number of bits."""
        return self.kind if self.wav is None else f"{self.kind} {self.wav.bits} bit"


@dataclass(frozen=True)
class _Layout:
    """How a family of containers lays out its chunks; ``lead`` bytes of the data chunk are no samples."""

    first: int
    identifier: int
    length: struct.Struct
    data: bytes
    counts_itself: int = 0
    align: int = 2
    lead: int = 0


_WAV = _Layout(12, 4, struct.Struct("<I"), b"data")
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_LAYOUTS = {
    b"RIFF": _WAV,
    b"RF64": _WAV,
    b"RIFX": _Layout(12, 4, struct.Struct(">I"), b"data"),
    b"FORM": _Layout(12, 4, struct.Struct(">I"), b"SSND", lead=8),
    b"riff": _Layout(40, 16, struct.Struct("<q"), _W64_DATA, counts_itself=24, align=8),
}
_UNKNOWN_LENGTH = 2**32 - 1
_MOST_CHUNKS = 1000
_HEAD = 512
_OGG_TAIL = 2**17  # a page is at most 65,307 bytes long, and tags may follow the last one


def read_header(file: BinaryIO, size: int) -> Header:
    """Read what the first and last bytes of an open file say.

    Parameters
    ----------
    file : binary file
        Open for reading, seekable.
    size : int
        Its length in bytes.

    Returns
    -------
    Header

    Examples
    --------
    >>> from io import BytesIO
    >>> read_header(BytesIO(b"hello, world"), 12).kind
    'text'
    """
    head = _at(file, 0, _HEAD)
    kind = detect(_behind_tag(file, head))
    if head[:3] == b"ID3" and kind not in {"FLAC", "AAC"}:
        kind = "MP3"
    if kind == "AU":
        start, length = struct.unpack(">II", head[4:12].ljust(8, b"\0"))
        return Header(kind) if length == _UNKNOWN_LENGTH else Header(kind, length, max(0, size - start))
    if kind.startswith("Ogg"):
        return Header(kind, ends=_ends(_at(file, max(0, size - _OGG_TAIL), _OGG_TAIL)))
    if kind in {"WAV", "AIFF", "W64"} and head[:4] in _LAYOUTS:
        return _read_chunks(file, size, kind, head[:4])
    return Header(kind, tagged=kind == "FLAC" and _at(file, max(0, size - 128), 3) == b"TAG")


def detect(head: bytes) -> str:
    """Name what a file is, from its first bytes.

    Parameters
    ----------
    head : bytes
        The first bytes, some 500 of them.

    Returns
    -------
    str
        A member of READABLE, BY_PYAV or FOREIGN, or another kind of file in words.

    Examples
    --------
    >>> detect(b"fLaC and so on")
    'FLAC'
    """
    for offset, magic, kind in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # An MPEG frame begins with eleven ones; the two layer bits are 0 only in AAC's ADTS.
        return "AAC" if head[1] & 0x06 == 0 else "MP3"
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    if _is_text(head):
        return "text"
    return f"unknown data, beginning with the bytes {head[:8].hex(' ')}"


def _at(file: BinaryIO, offset: int, count: int) -> bytes:
    file.seek(offset)
    return file.read(count)


def _behind_tag(file: BinaryIO, head: bytes) -> bytes:
    """The first bytes behind an ID3v2 tag, which some programs put in front of anything."""
    if head[:3] != b"ID3" or len(head) < 10:
        return head
    a, b, c, d = (byte & 0x7F for byte in head[6:10])
    return _at(file, 10 + (a << 21 | b << 14 | c << 7 | d), _HEAD)


def _is_text(head: bytes) -> bool:
    # The last character may be cut by the end of the head: up to three bytes of it are dropped.
    for cut in range(4):
        try:
            text = head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
        return all(c.isprintable() or c.isspace() or c == "\ufeff" for c in text)
    return False


def _read_chunks(file: BinaryIO, size: int, kind: str, family: bytes) -> Header:
    layout = _LAYOUTS[family]
    wav, long_length = None, None
    for identifier, body, length in _chunks(file, size, layout):
        if identifier[:4] == b"fmt " and wav is None:
            wav = _wav_format(_at(file, body, 40), ">" if family == b"RIFX" else "<")
        elif identifier == b"ds64":
            long_length = struct.unpack("<Q", _at(file, body + 8, 8).ljust(8, b"\0"))[0]
        elif identifier == layout.data:
            if family == b"RF64" and length == _UNKNOWN_LENGTH and long_length is not None:
                length = long_length
            promised = max(0, length - layout.lead)
            return Header(kind, promised, max(0, size - body - layout.lead), wav)
    return Header(kind, wav=wav)


def _chunks(file: BinaryIO, size: int, layout: _Layout) -> Iterator[tuple[bytes, int, int]]:
    """Identifier, where the body begins, and its length, of each chunk up to the end of the file."""
    at, width = layout.first, layout.identifier + layout.length.size
    for _ in range(_MOST_CHUNKS):
        if at + width > size:  # a length may be anything, up to one that no seek can take
            return
        raw = _at(file, at, width)
        length = (
            layout.length.unpack(raw[layout.identifier :].ljust(layout.length.size, b"\0"))[0] - layout.counts_itself
        )
        if length < 0:
            return
        yield raw[: layout.identifier], at + width, length
        at += width + length + -length % layout.align


def _wav_format(body: bytes, order: str) -> WavFormat | None:
    if len(body) < 16:
        return None
    tag, channels, rate, _, _, bits = struct.unpack(order + "HHIIHH", body[:16])
    if tag == 0xFFFE and len(body) >= 26:
        (tag,) = struct.unpack(order + "H", body[24:26])
    return WavFormat(tag, channels, rate, bits)


def _ends(tail: bytes) -> bool:
    """Whether the last Ogg page is whole and flagged as the stream's last (RFC 3533, section 6)."""
    at = tail.rfind(b"OggS")
    header = tail[at : at + 27]
    if at < 0 or len(header) < 27:
        return False
    segments = tail[at + 27 : at + 27 + header[26]]
    whole = len(segments) == header[26] and at + 27 + header[26] + sum(segments) <= len(tail)
    return whole and bool(header[5] & 0x04)
