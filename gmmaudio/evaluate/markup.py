"""HTML and SVG made of values: whatever is not markup yet is escaped, so that no text can become a tag.

Labels and paths are the user's own text and may hold anything. Here text turns into markup in one place only.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from gmmaudio.files import printable

_VOID = {"br", "img", "meta"}


@dataclass(frozen=True)
class Markup:
    """Text that is HTML or SVG already."""

    source: str

    def __str__(self) -> str:
        return self.source


Content = Markup | str | int


def tag(name: str, *content: Content, **attributes: str | float | None) -> Markup:
    """An element.

    Parameters
    ----------
    name : str
        Of the element.
    *content : Markup, str or int
        What is inside; text is escaped, and control characters in it are shown as escapes.
    **attributes : str, float or None
        Of the element; ``class_`` and ``for_`` lose their line, others turn it into a hyphen. None leaves the
        attribute out.

    Returns
    -------
    Markup

    Examples
    --------
    >>> print(tag("td", "a < b", class_="path", data_sort=1.5))
    <td class="path" data-sort="1.5">a &lt; b</td>
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_shown(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{named}>")
    return Markup(f"<{name}{named}>{join(*content)}</{name}>")


def join(*content: Content) -> Markup:
    """Pieces one after the other, text among them escaped.

    Examples
    --------
    >>> print(join("1 < 2", tag("br")))
    1 &lt; 2<br>
    """
    return Markup("".join(str(part) if isinstance(part, Markup) else html.escape(_shown(part)) for part in content))


def _shown(value: str | float) -> str:
    return printable(value) if isinstance(value, str) else f"{value:.6g}"
