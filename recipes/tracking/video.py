"""Frames of a video file, through PyAV: an optional extra, ``pip install "gmmaudio[av]"``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from scene import Frames

from gmmaudio.errors import DataError

WIDTH = 160  # pixels; wider pictures are made smaller
MOST = 2000  # frames that are read: some 100 MB


def read_video(path: Path) -> tuple[Frames, float]:
    """The first 2000 frames of a video, (t, rows, columns, 3) uint8, at most 160 pixels wide; how many went into one.

    Raises
    ------
    DataError
        ``no_av`` where PyAV is not installed, ``no_such_file``, ``cannot_read`` where it is no video or damaged.
    """
    try:
        import av
    except ImportError as error:
        raise DataError("no_av", "a video needs PyAV, which is not installed", 'pip install "gmmaudio[av]"') from error
    if not path.is_file():
        raise DataError("no_such_file", f"{path} is not a file", "name a video file")
    frames: list[Any] = []
    scale = 1.0
    try:
        with path.open("rb") as file, av.open(file) as container:
            if not container.streams.video:
                raise DataError("cannot_read", f"{path} has no pictures", "name a video file")
            for frame in islice(container.decode(video=0), MOST):
                scale = scale if frames else max(1.0, frame.width / WIDTH)
                frames.append(small(frame, frames[0].shape if frames else None))
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        message = f"{path} does not decode after {len(frames)} frames: {error}"
        raise DataError("cannot_read", message, "is it a video, and whole? ffmpeg can make another of it") from error
    if not frames:
        raise DataError("cannot_read", f"{path} holds no frame", "is it a video, and whole?")
    return np.stack(frames), scale


def small(frame: Any, shape: tuple[int, ...] | None) -> Frames:
    """One frame as colours, of the shape of the first."""
    width = min(WIDTH, frame.width)
    rows, columns = shape[:2] if shape else (max(1, round(frame.height * width / frame.width)), width)
    return np.asarray(frame.to_ndarray(format="rgb24", width=columns, height=rows))
