"""Write docs/tour.md and its pictures from docs/tour.in.md by running the code in it.

    python docs/tour.py [--out DIR]

Every block of Python is executed, in order, in one namespace. What it prints follows it; what it draws becomes a
picture after it. ``{{expression:format}}`` in the text is the value of an expression at that place. So no figure and
no number of the tour can differ from what its code gives.
"""

from __future__ import annotations

import argparse
import io
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/tour.py from docs/tour.in.md: change that, then run it again. -->\n\n"
LOOK = {"figure.figsize": (7.2, 3.2), "figure.dpi": 80, "figure.constrained_layout.use": True, "font.size": 9}
BLOCK = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
VALUE = re.compile(r"\{\{(.+?)\}\}")


def run_block(code: str, names: dict[str, Any], place: str) -> str:
    """What a block prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, place, "exec"), names)
    return printed.getvalue()


def keep_picture(folder: Path, number: int) -> str:
    """Save what was drawn, if anything; the line that shows it."""
    if not plt.get_fignums():
        return ""
    title = plt.gcf().axes[0].get_title()
    plt.savefig(folder / f"tour-{number}.png")
    plt.close("all")
    return f"\n![{title}](tour-{number}.png)\n"


def with_values(text: str, names: dict[str, Any]) -> str:
    """Text with its expressions replaced by what they are."""
    return VALUE.sub(lambda match: str(eval("f" + repr("{" + match[1] + "}"), names)), text)


def write_tour(folder: Path) -> None:
    """Run the source; write tour.md and the pictures into a folder."""
    names: dict[str, Any] = {}
    parts = BLOCK.split((HERE / "tour.in.md").read_text(encoding="utf-8"))
    written, pictures = [NOTE + with_values(parts[0], names)], 0
    with matplotlib.rc_context(LOOK):
        for number, (code, text) in enumerate(zip(parts[1::2], parts[2::2], strict=True), start=1):
            printed = run_block(code, names, f"block {number} of tour.in.md")
            shown = f"\n```text\n{printed}```\n" if printed else ""
            picture = keep_picture(folder, pictures + 1)
            pictures += bool(picture)
            written.append(f"```python\n{code}```\n{shown}{picture}{with_values(text, names)}")
    (folder / "tour.md").write_text("".join(written), encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=HERE, help="folder of the text and the pictures")
    chosen = options.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_tour(chosen.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
