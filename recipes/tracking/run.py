"""Follow an object through a film: a mixture for every pixel, and a mixture for the object's colours.

    python recipes/tracking/run.py [--out DIR] [--small] [--seed 0]
    python recipes/tracking/run.py --video FILE --box LEFT TOP WIDTH HEIGHT [--frame 0] [--out DIR]

By default the film is made up (scene.py), so that the true track is known; printed is how well the boxes found
overlap with it, beside simpler ways to find what moves. With a video, the boxes found are printed, one line a frame;
the box of the object in one frame is yours to give, in pixels of the video. Videos need ``pip install "gmmaudio[av]"``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from scene import Film, box_of, film
from tracker import WAYS, Floats, Found, boxes, follow, mask_overlap, overlap
from video import read_video
from views import OURS, moving, still

from gmmaudio.errors import DataError, GmmaudioError
from gmmaudio.measures.resampling import figure_interval

LEAST_FILMS = 5
LOST = 0.3  # an overlap below this: the box is somewhere else


@dataclass(frozen=True)
class Result:
    """Overlaps of all frames of all films, and which film each is of."""

    box: dict[str, Floats]
    mask: dict[str, Floats]
    films: list[str]


def overlaps(made: Film, found: Sequence[Found]) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Of boxes and of pixels, frame by frame, each way."""
    true = made.masks[made.marked + 1 :]
    places = [box_of(mask) for mask in true]
    by_box = {way: np.array([overlap(*pair) for pair in zip(boxes(found, way), places, strict=True)]) for way in WAYS}
    by_mask = {
        way: np.array([mask_overlap(one.objects[way], mask) for one, mask in zip(found, true, strict=True)])
        for way in WAYS
    }
    return by_box, by_mask


def try_films(films: int, frames: int, seed: int) -> Result:
    """Follow the object through several films."""
    every: list[tuple[dict[str, Floats], dict[str, Floats]]] = []
    for number in range(films):
        made = film(frames, seed + number)
        every.append(overlaps(made, list(follow(made.frames, made.marked, marked_box(made), seed))))
    names = [str(number) for number, (by_box, _) in enumerate(every) for _ in by_box[OURS]]
    box, mask = ({way: np.concatenate([one[part][way] for one in every]) for way in WAYS} for part in (0, 1))
    return Result(box, mask, names)


def marked_box(made: Film) -> tuple[int, int, int, int]:
    box = box_of(made.masks[made.marked])
    assert box is not None
    return box


def tell(result: Result) -> None:
    print(f"{'':26}{'overlap of boxes (IoU)':24}{'of pixels':>11}{'lost':>8}")
    for way in WAYS:
        found = result.box[way]
        shown = f"{found.mean():.3f}{bounds(found, result.films)}"
        print(f"{way:26}{shown:24}{result.mask[way].mean():11.3f}{100 * np.mean(found < LOST):7.1f} %")


def bounds(found: Floats, films: Sequence[str]) -> str:
    """The 95 % interval of the mean, over films; of fewer than five it would say nothing."""
    if len(set(films)) < LEAST_FILMS:
        return ""
    likely = figure_interval(lambda some: float(found[some].mean()), len(found), films)
    return f" ({likely.low:.3f} to {likely.high:.3f})"


def from_video(path: Path, frame: int, box: Sequence[int] | None, seed: int, out: Path) -> None:
    """Print the boxes found in a video, in its own pixels, and write the moving picture."""
    if box is None:
        raise DataError("bad_box", "no box says which object to follow", "--box LEFT TOP WIDTH HEIGHT, in pixels")
    frames, scale = read_video(path)
    if not 0 <= frame < len(frames) - 1:
        raise DataError(
            "bad_frame", f"frame {frame} of {len(frames)}; at least one must follow", "name another --frame"
        )
    left, top, width, height = (round(side / scale) for side in box)
    found = list(follow(frames, frame, (left, top, width, height), seed))
    print("frame left top width height")
    for t, place in enumerate(boxes(found, OURS), start=frame + 1):
        print(t, *(round(side * scale) for side in place) if place else ("lost",))
    moving(frames[frame + 1 :], found, out / "tracking.gif")


def made_up(small: bool, seed: int, out: Path) -> None:
    films, frames = (2, 110) if small else (10, 200)
    if small:
        print("the small form, for a quick look: its figures are no results")
    print(f"{films} films of {frames} frames, seed {seed}")
    tell(try_films(films, frames, seed))
    made = film(frames, seed)
    found = list(follow(made.frames, made.marked, marked_box(made), seed))
    still(made, found, overlaps(made, found)[0], out / "tracking.png")
    moving(made.frames[made.marked + 1 :], found, out / "tracking.gif")


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--out", type=Path, help="folder of the pictures: by default this one, for a video the current"
    )
    options.add_argument("--small", action="store_true", help="fewer and shorter films: a second or two")
    options.add_argument("--seed", type=int, default=0, help="of all that is drawn at random; default 0")
    options.add_argument("--video", type=Path, metavar="FILE", help="follow an object in this file instead")
    sides = ("LEFT", "TOP", "WIDTH", "HEIGHT")
    options.add_argument("--box", type=int, nargs=4, metavar=sides, help="where the object is in the video's frame")
    options.add_argument("--frame", type=int, default=0, help="which frame that is; the first is 0")
    chosen = options.parse_args(arguments)
    out = chosen.out or (Path() if chosen.video else Path(__file__).parent)
    try:
        out.mkdir(parents=True, exist_ok=True)
        if chosen.video:
            from_video(chosen.video, chosen.frame, chosen.box, chosen.seed, out)
        else:
            made_up(chosen.small, chosen.seed, out)
    except GmmaudioError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
