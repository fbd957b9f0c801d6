"""A picture of one clip: its waveform, spectrogram and coefficients over time, and which of it counts as voiced.

However long the clip, the picture has at most ``COLUMNS`` columns; besides the clip itself and its frames, memory
does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from os import PathLike

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from gmmaudio.corpus.audio import Clip
from gmmaudio.errors import ClipError, DataError
from gmmaudio.evaluate.pictures import check_suffix, save
from gmmaudio.features.frames import Frames
from gmmaudio.features.frontend import FrontEnd

Real = NDArray[np.floating]

COLUMNS = 2000
_WINDOW = 0.032  # seconds; of the spectrogram
_LOOKS = 16  # windows averaged per column, at most
_RANGE = 80  # dB shown below the loudest
_DEVIATIONS = 2.5  # shown to either side of a coefficient's mean
_INK, _PALE_INK, _WAVE, _SHADE = "#222222", "#666666", "#0b3c6f", "#d9d9d9"
_VEIL = 0.75  # how much of an unvoiced coefficient is hidden
_NAME = 60  # letters of a file's name


@dataclass(frozen=True, eq=False)
class _View:
    """A clip, its frames before any step, and where they lie in time."""

    clip: Clip
    frames: Frames

    @property
    def seconds(self) -> float:
        return len(self.clip.samples) / self.clip.rate

    @property
    def frame_span(self) -> tuple[float, float]:
        """Where the first frame begins and the last one ends: a frame is drawn one hop wide around its middle."""
        length = len(self.frames.values) * self.frames.hop
        return (self.seconds - length) / 2, (self.seconds + length) / 2


def clip_picture(clip: Clip, front_end: FrontEnd, path: str | PathLike[str]) -> None:
    """Write a picture of a clip as a front end hears it.

    Parameters
    ----------
    clip : Clip
        At the front end's rate.
    front_end : FrontEnd
        Its coefficients are shown as they are before any step, and what its voice activity rule leaves out.
    path : path-like
        Where to write; ``.png`` (150 dots per inch), ``.svg`` or ``.pdf``, by its suffix.

    Raises
    ------
    DataError
        ``picture_format`` for any other suffix, ``wrong_rate``.
    ClipError
        ``too_short`` (less than one window).

    Examples
    --------
    >>> import tempfile
    >>> from gmmaudio.features.frontend import PRESETS
    >>> clip = Clip(np.sin(np.arange(8000) / 5).astype(np.float32), 8000)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clip_picture(clip, PRESETS["speech"], folder + "/clip.png")
    """
    check_suffix(path, "clip.png")
    save(clip_figure(clip, front_end), path)


def clip_figure(clip: Clip, front_end: FrontEnd) -> Figure:
    """A picture of a clip as a matplotlib figure.

    From above: the waveform (lowest and highest sample of each column), on grey where frames are unvoiced; the
    spectrogram, in dB over a sine of full scale (dBFS); the coefficients, each in its own standard deviations
    around its mean over the voiced frames, and pale where unvoiced.

    Examples
    --------
    >>> from gmmaudio.features.frontend import PRESETS
    >>> clip = Clip(np.sin(np.arange(8000) / 5).astype(np.float32), 8000)
    >>> [axes.get_ylabel() for axes in clip_figure(clip, PRESETS["speech"]).axes[:3]]
    ['amplitude', 'frequency (kHz)', 'coefficient']
    """
    view = _View(clip, _frames(clip, front_end))
    figure = Figure(figsize=(10, 7), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, hspace=0.02))
    FigureCanvasAgg(figure)
    above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=[1.2, 2, 1.6])
    _draw_wave(above, view)
    _name_scale(figure, middle, _draw_spectrogram(middle, view), "dBFS")
    if len(view.frames.values):
        _name_scale(figure, below, _draw_coefficients(below, view), "standard deviations")
    else:
        below.text(0.5, 0.5, "silence", transform=below.transAxes, ha="center", va="center", color=_PALE_INK)
        below.set_yticks([])
    below.set_ylabel("coefficient")
    below.set_xlabel("time (s)")
    below.set_xlim(0, view.seconds)
    for axes in (above, middle, below):
        axes.tick_params(labelsize=9, color=_PALE_INK)
        axes.spines[:].set_color(_PALE_INK)
    _title(figure, view)
    return figure


def _frames(clip: Clip, front_end: FrontEnd) -> Frames:
    """The clip's frames before any step; none at all if it is silent."""
    if clip.rate != front_end.rate:
        raise DataError(
            "wrong_rate",
            f"the clip has {clip.rate} Hz, the front end hears {front_end.rate} Hz",
            f"read it with read_clip(path, {front_end.rate})",
        )
    extractor = replace(front_end, steps=())
    try:
        return extractor(clip)
    except ClipError as error:
        if error.code != "silence":
            raise
        return Frames(np.empty((0, extractor.dimension), np.float32), np.empty(0, bool), 0.0)


# --- waveform --------------------------------------------------------------------------------------------------------


def _draw_wave(axes: Axes, view: _View) -> None:
    samples, seconds = view.clip.samples, view.seconds
    edges = _edges(len(samples), COLUMNS)
    low, high = np.minimum.reduceat(samples, edges[:-1]), np.maximum.reduceat(samples, edges[:-1])
    times = (edges[:-1] + edges[1:]) / 2 / view.clip.rate
    if len(samples) <= COLUMNS:
        axes.plot(times, samples, color=_WAVE, linewidth=0.8)
    else:
        axes.fill_between(times, low, high, color=_WAVE, linewidth=0.4)
    peak = max(-float(low.min()), float(high.max())) * 1.05 or 1.0
    _shade(axes, view, (-peak, peak), _SHADE, 1.0)
    axes.set_ylim(-peak, peak)
    axes.set_ylabel("amplitude")
    axes.set_xlim(0, seconds)


def _shade(axes: Axes, view: _View, heights: tuple[float, float], colour: str, strength: float) -> None:
    """Lay a colour over the unvoiced stretches, weaker where only some of a column's frames are unvoiced."""
    unvoiced: Real = np.ones(1)
    span = (0.0, view.seconds)
    if len(view.frames.voiced):
        unvoiced, span = _averages(~view.frames.voiced[:, None])[:, 0], view.frame_span
    layer = np.empty((1, len(unvoiced), 4))
    layer[..., :3], layer[..., 3] = to_rgb(colour), strength * unvoiced
    order = 0 if strength == 1 else 2  # behind what is drawn, or before it
    axes.imshow(layer, aspect="auto", interpolation="nearest", extent=(*span, *heights), zorder=order)
    # No frame is centred within the first and the last half window: they go with their neighbours.
    for start, stop, share in ((0, span[0], unvoiced[0]), (span[1], view.seconds, unvoiced[-1])):
        if stop > start:
            axes.axvspan(start, stop, color=colour, alpha=strength * float(share), linewidth=0, zorder=order)


# --- spectrogram -----------------------------------------------------------------------------------------------------


def _draw_spectrogram(axes: Axes, view: _View) -> AxesImage:
    rate = view.clip.rate
    power, margin = _spectrogram(view.clip)
    levels = 10 * np.log10(np.maximum(power, 1e-20))
    top = max(float(levels.max()), -_RANGE)
    axes.set_ylabel("frequency (kHz)")
    return axes.imshow(
        levels.T,
        aspect="auto",
        origin="lower",
        extent=(margin, view.seconds - margin, 0, rate / 2000),
        cmap="magma",
        vmin=top - _RANGE,
        vmax=top,
        interpolation="nearest",
    )


def _spectrogram(clip: Clip) -> tuple[NDArray[np.float32], float]:
    """Mean power (columns, bins) relative to a sine of full scale, and half a window, which nothing is known of
    at either end, in seconds."""
    n_fft = 1 << round(np.log2(_WINDOW * clip.rate))
    width = min(n_fft, 2 + len(clip.samples) // 16)  # shorter in a short clip, which else would be one window
    hann = np.hanning(width + 2)[1:-1]
    window = (2 * hann / hann.sum()).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(clip.samples, width)
    batches = [
        (np.abs(np.fft.rfft(windows[starts] * window, n_fft)) ** 2).mean(axis=1)
        for starts in _starts(len(windows), width)
    ]
    return np.concatenate(batches, dtype=np.float32), width / 2 / clip.rate


def _starts(windows: int, width: int) -> Iterator[NDArray[np.intp]]:
    """Which windows make up the columns (columns, looks), a few columns at a time, evenly over all windows."""
    columns = min(COLUMNS, 1 + windows // max(1, width // 8))
    looks = min(_LOOKS, max(1, 2 * windows // (columns * width)))
    starts = ((np.arange(columns * looks) + 0.5) * windows / (columns * looks)).astype(np.intp)
    yield from np.array_split(starts.reshape(columns, looks), max(1, columns // 50))


# --- coefficients ----------------------------------------------------------------------------------------------------


def _draw_coefficients(axes: Axes, view: _View) -> AxesImage:
    values = _averages(view.frames.values)
    voiced = view.frames.selected()
    mean, deviation = voiced.mean(axis=0), voiced.std(axis=0)
    count = values.shape[1]
    extent = (*view.frame_span, -0.5, count - 0.5)
    image = axes.imshow(
        ((values - mean) / np.maximum(deviation, 1e-3)).T,
        aspect="auto",
        origin="lower",
        extent=extent,
        cmap="PuOr_r",
        vmin=-_DEVIATIONS,
        vmax=_DEVIATIONS,
        interpolation="nearest",
    )
    _shade(axes, view, extent[2:], "white", _VEIL)
    axes.set_ylim(extent[2:])
    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    return image


def _averages(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Frames (n, d) averaged to at most ``COLUMNS``."""
    edges = _edges(len(values), COLUMNS)
    return np.array([values[a:b].mean(axis=0) for a, b in pairwise(edges)], np.float32)


def _edges(n: int, most: int) -> NDArray[np.intp]:
    """The edges of at most so many columns of n things."""
    columns = min(n, most)
    return np.arange(columns + 1) * n // columns


# --- words -----------------------------------------------------------------------------------------------------------


def _name_scale(figure: Figure, axes: Axes, image: AxesImage, unit: str) -> None:
    bar = figure.colorbar(image, ax=axes, pad=0.01, aspect=25, fraction=0.03)
    bar.set_label(unit, fontsize=9, color=_PALE_INK)
    bar.ax.tick_params(labelsize=8, color=_PALE_INK)
    bar.outline.set_visible(False)


def _title(figure: Figure, view: _View) -> None:
    name = "".join(letter if letter.isprintable() else "?" for letter in view.clip.path.name) if view.clip.path else ""
    name = name if len(name) <= _NAME else name[: _NAME - 2] + ".."
    share = view.frames.voiced.mean() if len(view.frames.voiced) else 0.0
    text = f"{name}   {view.seconds:.4g} s at {view.clip.rate} Hz, {100 * share:.0f} % voiced"
    # The name is the user's own text: a dollar sign in one is not a formula.
    figure.suptitle(text.strip(), fontsize=11, color=_INK, parse_math=False)
    figure.supxlabel("grey above, pale below: unvoiced", fontsize=8, color=_PALE_INK)
