"""The errors that a classifier made most surely, with what can be heard and seen of them.

The clips are read again when the page is written: they may be gone, or have changed, and a feature store, which knows
their names only, may name any file. So a clip is played only if its samples are those that were scored; one that is
not, or cannot be read, is shown without sound, and the reason is said.
"""

from __future__ import annotations

import base64
import io
import os
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gmmaudio.classify.classifier import Decision
from gmmaudio.corpus.audio import Clip, Reader, hashed, joined, read_through
from gmmaudio.corpus.excerpt import MP3_RATE, loudest, mp3
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.trials import evidence

MOST = 10
SECONDS = 5.0  # of an excerpt
_WINDOW = 1024  # samples
_ROWS, _COLUMNS = 72, 280
_RANGE = 12.0  # nats of power between black and white: 52 dB
_INKS = np.array([[16, 14, 38], [64, 32, 110], [168, 52, 108], [240, 120, 70], [252, 226, 164]], np.float64)


NOT_AT_HAND = "the sound is not at hand; where a feature store was scored, --root names the folder of its clips"


@dataclass(frozen=True)
class Excerpt:
    """Part of a clip, ready for a page.

    Parameters
    ----------
    start, end : float
        Where the part lies in the clip, in seconds.
    sound, picture : str
        An MP3 and a PNG as data URIs.
    """

    start: float
    end: float
    sound: str
    picture: str


@dataclass(frozen=True)
class Mistake:
    """One clip decided wrongly.

    Parameters
    ----------
    clip : Prediction
    lead : float or None
        The score of the answer less that of the truth; None where there are no such scores.
    excerpt : Excerpt or None
    silence : str
        Why there is no excerpt; empty where none was asked for.
    """

    clip: Prediction
    lead: float | None
    excerpt: Excerpt | None = None
    silence: str = ""


def worst(
    found: Evaluation,
    entries: Sequence[Entry] = (),
    rate: int | None = None,
    most: int = MOST,
    read: Reader = read_through,
) -> list[Mistake]:
    """The mistakes with the greatest lead over the truth, greatest first.

    Parameters
    ----------
    found : Evaluation
    entries : sequence of Entry
        Where the clips are; without one a mistake has no excerpt, and with neither entries nor rate that is not said.
    rate : int, optional
        The rate in Hz at which the predictions' hashes were taken: a clip with other samples is not played. Default:
        what the entries say is trusted.
    most : int, default 10
    read : Reader
        What reads them; `gmmaudio.corpus.isolate.isolated` makes one that decodes in other processes.
    """
    wrong = [clip for clip in found.predictions if clip.label is not None and clip.label != clip.truth]
    ranked = sorted(_with_leads(wrong), key=lambda pair: -(pair[1] or 0.0))[:most]
    if not entries and rate is None:
        return [Mistake(clip, lead) for clip, lead in ranked]
    where = {(entry.name, entry.start, entry.end): entry for entry in entries}
    return [_heard(clip, lead, where.get((clip.path, clip.start, clip.end)), rate, read) for clip, lead in ranked]


def below(entries: Sequence[Entry], root: Path | None) -> list[Entry]:
    """The entries of a feature store whose names lead to a place below a folder, with that place for their path.

    It is free of links: one that is put into the name's way later leads nowhere else.

    Parameters
    ----------
    entries : sequence of Entry
        Their names are not trusted: an absolute one, and one that leaves the folder by ``..`` or by a link, is left
        out.
    root : Path or None
        What the names are relative to. None: nothing is known of where they are.

    Examples
    --------
    >>> names = ["a/1.wav", "../1.wav", "/etc/1.wav"]
    >>> [entry.name for entry in below([Entry(Path(name), "dog") for name in names], Path("corpus"))]
    ['a/1.wav']
    """
    if root is None:
        return []
    bound = Path(os.path.realpath(root))
    places = [(entry, Path(os.path.realpath(root / entry.name))) for entry in entries]
    return [
        replace(entry, path=place)
        for entry, place in places
        if not Path(entry.name).is_absolute() and place.is_relative_to(bound)
    ]


def _with_leads(clips: Sequence[Prediction]) -> list[tuple[Prediction, float | None]]:
    """Each clip that was answered, and how far the answer led: None where it has no decision."""
    known = iter(evidence([clip.decision for clip in clips if clip.decision is not None]))
    return [(clip, None if clip.decision is None else _lead(clip, clip.decision, next(known))) for clip in clips]


def _lead(clip: Prediction, decision: Decision, known: Mapping[str, float]) -> float | None:
    """The answer's score less the truth's; where the model does not know the truth, less the second best."""
    if clip.label is None or clip.truth not in known:
        return decision.margin
    return known[clip.label] - known[clip.truth]


def _heard(clip: Prediction, lead: float | None, entry: Entry | None, rate: int | None, read: Reader) -> Mistake:
    if entry is None:
        return Mistake(clip, lead, silence=NOT_AT_HAND)
    try:
        if rate is not None and clip.sample_hash != _hash(entry, rate, read):
            return Mistake(clip, lead, silence="the file of this name holds other samples than were scored")
        samples, facts = read(entry.path, MP3_RATE, joined, entry.start, entry.end)
        return Mistake(clip, lead, excerpt(Clip(samples, facts.rate)))
    except ClipError as error:
        return Mistake(clip, lead, silence=f"the clip could not be read again: {error.message}")


def _hash(entry: Entry, rate: int, read: Reader) -> str:
    def consume(blocks: Iterator[NDArray[np.float32]]) -> str:
        digest = sha256()
        for _ in hashed(blocks, digest):
            pass
        return digest.hexdigest()

    return read(entry.path, rate, consume, entry.start, entry.end)[0]


def excerpt(clip: Clip, seconds: float = SECONDS) -> Excerpt:
    """The loudest part of a clip at ``MP3_RATE``: its sound and its spectrogram."""
    first, last = loudest(clip, seconds)
    part = clip.samples[first:last]
    sound = "data:audio/mpeg;base64," + base64.b64encode(mp3(part)).decode()
    picture = "data:image/png;base64," + base64.b64encode(png(spectrogram(part))).decode()
    return Excerpt(first / clip.rate, last / clip.rate, sound, picture)


def spectrogram(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Levels (72, 280) from 0 to 255: low frequencies at the bottom, evenly spaced in mel; 255 is the loudest."""
    padded = np.pad(samples.astype(np.float64), _WINDOW // 2)
    starts = np.linspace(0, len(padded) - _WINDOW, _COLUMNS).astype(int)
    frames = padded[starts[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW)
    power = np.square(np.abs(np.fft.rfft(frames)))
    mels = np.linspace(0, np.log1p(MP3_RATE / 2 / 700), _ROWS + 1)
    edges = np.round(700 * np.expm1(mels) / MP3_RATE * _WINDOW).astype(int)
    pooled = np.add.reduceat(power, np.minimum(edges[:-1], _WINDOW // 2), axis=1) + 1e-12
    levels = np.log(pooled)
    return np.asarray(np.clip(255 * (1 + (levels - levels.max()) / _RANGE), 0, 255).T[::-1].astype(np.uint8))


def png(levels: NDArray[np.uint8]) -> bytes:
    """An image of levels (height, width) from dark to bright, as a PNG file with a palette."""
    height, width = levels.shape
    stops = np.linspace(0, 255, len(_INKS))
    palette = np.stack([np.interp(np.arange(256), stops, ink) for ink in _INKS.T], axis=1).astype(np.uint8)
    rows = np.concatenate([np.zeros((height, 1), np.uint8), levels], axis=1)  # each row's filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = [
        (b"IHDR", header),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    ]
    out = io.BytesIO()
    out.write(b"\x89PNG\r\n\x1a\n")
    for kind, data in parts:
        out.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))
    return out.getvalue()
