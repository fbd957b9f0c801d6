"""The still and the moving picture of the tracking recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from scene import RATE, Box, Film, Frames, box_of
from tracker import WAYS, Floats, Found

OURS = WAYS[-1]
WHITE, RED = (255, 255, 255), (214, 39, 40)
LINES = {"frame difference": "#8c8c8c", "one Gaussian and colour": "#d9822b", OURS: "#1f5a9c"}
EVERY = 4  # frames: which of them the moving picture shows
LARGER = 2


def framed(picture: Frames, box: Box | None, colour: tuple[int, int, int]) -> Frames:
    """The picture with a box drawn into it."""
    drawn = picture.copy()
    if box is not None:
        left, top, right, bottom = box[0], box[1], box[0] + box[2] - 1, box[1] + box[3] - 1
        drawn[[top, bottom], left : right + 1] = colour
        drawn[top : bottom + 1, [left, right]] = colour
    return drawn


def moving(frames: Frames, found: Sequence[Found], path: Path) -> None:
    """A GIF: the film with the box found, beside what is news to the background (grey) and the object (white)."""
    shown = []
    for frame, one in list(zip(frames, found, strict=True))[::EVERY]:
        left = framed(frame, box_of(one.objects[OURS]), WHITE)
        grey = np.maximum(110 * one.news, 255 * one.objects[OURS]).astype(np.uint8)
        both = np.concatenate([left, np.repeat(grey[:, :, None], 3, axis=2)], axis=1)
        image = Image.fromarray(both).quantize(48, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        shown.append(image.resize((image.width * LARGER, image.height * LARGER), Image.Resampling.NEAREST))
    pause = 1000 * EVERY // RATE
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=pause, loop=0, optimize=False)


def still(film: Film, found: Sequence[Found], overlaps: dict[str, Floats], path: Path) -> None:
    """One frame in three views, and the overlap with the known track over the whole film."""
    t = int(film.marked + 1 + 0.5 * len(found))
    one, frame = found[t - film.marked - 1], film.frames[t]
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([["film", "news", "colour"], ["time", "time", "time"]], height_ratios=[1, 1.05])
    panels["film"].imshow(frame)
    panels["news"].imshow(one.news, cmap="gray_r", vmin=0, vmax=1.6)
    shown = panels["colour"].imshow(one.posterior, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(shown, ax=panels["colour"], label="posterior", shrink=0.8, ticks=[0, 0.5, 1])
    titles = {
        "film": f"frame {t}: found (white)",
        "news": "news to the background",
        "colour": "the object's colours",
    }
    for name, title in titles.items():
        panels[name].set_title(title, fontsize=10)
        panels[name].set_xlabel("column (pixels)", fontsize=9)
        outline(panels[name], box_of(one.objects[OURS]), "white" if name == "film" else "#d62728")
    panels["film"].set_ylabel("row (pixels)", fontsize=9)
    draw_overlaps(panels["time"], film.marked, overlaps)
    figure.savefig(path, dpi=90)


def outline(axes: Axes, box: Box | None, colour: str) -> None:
    if box is not None:
        axes.add_patch(Rectangle((box[0] - 0.5, box[1] - 0.5), box[2], box[3], fill=False, ec=colour, lw=1.5))


def draw_overlaps(axes: Axes, marked: int, overlaps: dict[str, Floats]) -> None:
    for way, colour in LINES.items():
        seconds = (marked + 1 + np.arange(len(overlaps[way]))) / RATE
        axes.plot(seconds, overlaps[way], color=colour, lw=1.6, label=way)
    axes.set(xlabel="time (s)", ylabel="overlap with the true box (IoU)", ylim=(-0.03, 1.05))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=9)
