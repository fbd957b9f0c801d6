"""AAC, WMA and the sound of videos, through PyAV: an optional extra, ``pip install "gmmaudio[av]"``.

PyAV itself is under the BSD 3-clause licence. Its wheels bundle FFmpeg, built as LGPL version 3, beside further codec
libraries under licences of their own (x264 and x265 are GPL): gmmaudio neither depends on it nor ships it.

The container is read through a plain file by the demuxer that its first bytes name, so that no name of a file and no
playlist within one makes FFmpeg open anything else. Decoding always begins at the start: a codec that builds on
earlier packets gives other samples after a seek.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gmmaudio.corpus.containers import Header
from gmmaudio.corpus.recording import BLOCK, UNKNOWN, Recording, corrupt_header, damaged, not_audio, unsupported
from gmmaudio.corpus.samples import scaled
from gmmaudio.files import printable

_DEMUXERS = {"MP4 or M4A (AAC)": "mov", "AAC": "aac", "WMA (ASF)": "asf", "Matroska or WebM": "matroska"}
_SLACK = 0.1  # seconds; lengths are stated in milliseconds, with or without what an encoder puts before and behind
_GAP = 0.05  # seconds between the end of a frame and the time of the next, where something is missing
_FAULTS = (OSError, ValueError, OverflowError)  # of a file that is asked for what it does not have
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "flt": "f4", "dbl": "f8"}  # FFmpeg's names to numpy's
_STRICT = {"err_detect": "crccheck+bitstream+buffer+explode"}

Samples = NDArray[np.float32]


@contextmanager
def open_with_av(path: Path, header: Header) -> Iterator[Recording]:
    """Open the first audio stream of a file, and close it at the end.

    Parameters
    ----------
    path : Path
        A regular file.
    header : Header
        Its kind is one of `gmmaudio.corpus.containers.BY_PYAV`.

    Yields
    ------
    Recording

    Raises
    ------
    ClipError
        unsupported_codec, where PyAV is not installed, with what to do; or where it does not know the codec;
        corrupt_header; not_audio, where there is no audio stream.
    """
    name = printable(path)
    try:
        import av
    except ImportError as error:
        raise unsupported(name, header.kind, 'pip install "gmmaudio[av]", or ') from error
    try:
        with _opened(av, path, header.kind) as container:
            recording = _recording(path, header.kind, container)
    except (av.FFmpegError, *_FAULTS) as error:
        raise corrupt_header(name, header.kind, str(error.args[-1])) from error
    yield recording


@contextmanager
def _opened(av: Any, path: Path, kind: str) -> Iterator[Any]:
    with path.open("rb") as file, av.open(_Bytes(file), format=_DEMUXERS[kind], metadata_errors="replace") as opened:
        yield opened


class _Bytes:
    """A file as FFmpeg wants it: an impossible place gives -1, where PyAV would print an exception and its stack."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.read, self.tell = file, file.read, file.tell

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self.file.seek(offset, whence)
        except _FAULTS:
            return -1


def _recording(path: Path, kind: str, container: Any) -> Recording:
    name = printable(path)
    if not container.streams.audio:
        raise not_audio(name, Header(f"{kind} without an audio stream"))
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise unsupported(name, f"the codec of this {kind}")
    rate, channels = int(stream.codec_context.sample_rate or 0), int(stream.codec_context.channels or 0)
    if not rate or not channels:
        raise corrupt_header(name, kind, "it states no sample rate, or no channels")
    promised = None if kind == "AAC" else _promised(container, stream, rate)
    take = partial(blocks, path, kind, rate, channels)
    return Recording(name, rate, channels, promised, take, round(_SLACK * rate), coding=kind)


def _promised(container: Any, stream: Any, rate: int) -> int | None:
    """Frames that the stream, or else the container, promises."""
    if stream.duration is not None and stream.time_base is not None:
        return max(0, int(stream.duration * stream.time_base * rate))
    alone = len(container.streams) == 1  # the picture may be longer than the sound
    return max(0, container.duration * rate // 1_000_000) if container.duration is not None and alone else None


def blocks(path: Path, kind: str, rate: int, channels: int, first: int, last: int | None) -> Iterator[Samples]:
    """The frames from ``first`` up to ``last``, as `Recording.blocks` hands them out.

    The file is opened anew, for after a seek to the start, some containers lack their first packet.

    Raises
    ------
    ClipError
        decode_error, with the position: for packets that do not decode, and for time that is missing.
    """
    import av

    at, stop = 0, UNKNOWN if last is None else last
    with _opened(av, path, kind) as container:
        for block in _gathered(_frames(printable(path), container, (rate, channels)), BLOCK // channels):
            if (wanted := block[max(0, first - at) : max(0, stop - at)]).size:
                yield wanted
            at += len(block)
            if at >= stop:
                return


def _gathered(frames: Iterator[Samples], size: int) -> Iterator[Samples]:
    """Frames of a codec, of some 1000 samples, joined to blocks of about ``size``."""
    pending: list[Samples] = []
    for frame in frames:
        pending.append(frame)
        if sum(map(len, pending)) >= size:
            yield np.concatenate(pending)
            pending = []
    if pending:
        yield np.concatenate(pending)


def _frames(name: str, container: Any, form: tuple[int, int]) -> Iterator[Samples]:
    """The (n, channels) samples of each decoded frame; what is damaged, or missing in between, is an error."""
    import av

    stream = container.streams.audio[0]
    stream.codec_context.options = _STRICT
    rate, at, began = form[0], 0, None
    try:
        for packet in container.demux(stream):
            for frame in packet.decode():
                if (frame.sample_rate, frame.layout.nb_channels) != form or frame.is_corrupt:
                    raise damaged(name, f"at {at / rate:.2f} s", "the frame is not as the header says")
                if frame.time is not None:
                    began = frame.time if began is None else began
                    _refuse_gap(name, at / rate, frame.time - began)
                yield _samples(frame)
                at += frame.samples
    except (av.FFmpegError, *_FAULTS) as error:
        raise damaged(name, f"at about {at / rate:.2f} s", str(error)) from error


def _refuse_gap(name: str, expected: float, time: float) -> None:
    if abs(time - expected) > _GAP:
        raise damaged(name, f"at {expected:.2f} s", f"the next frame belongs at {time:.2f} s")


def _samples(frame: Any) -> Samples:
    """A frame's samples (n, channels), plane by plane.

    PyAV's own conversion counts planes until it meets none: of eight channels or more it runs past the last one.
    """
    form, channels = frame.format, frame.layout.nb_channels
    kind, planes = _TYPES[form.packed.name], channels if form.is_planar else 1
    count = frame.samples * (channels // planes)
    parts = [np.frombuffer(plane, kind, count) for plane in frame.planes[:planes]]
    return scaled(np.stack(parts, axis=1) if form.is_planar else parts[0].reshape(frame.samples, channels))
