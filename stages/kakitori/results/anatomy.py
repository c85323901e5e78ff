"""A picture of one character: its strokes in order, and the parts that it is made of.

Apart from figures.py, so that a change there does not make every character anew.
"""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib_fontja  # noqa: F401 (sets a font that has kanji)

from kakitori import outputs
from kakitori.accuracy.lettering import lettered
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import Strokes

INK, MUTED, FAINT = "#1f3a5f", "#8a8a8a", "#dddddd"


def draw(path: Path, name: str, strokes: Strokes, tree: Component | None) -> None:
    """A character's strokes, numbered where each sets out, and its decomposition where known."""
    figure, panels = plt.subplots(1, 2 if tree else 1, figsize=(10 if tree else 4.5, 4.8))
    drawing, *rest = np.atleast_1d(panels)
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(strokes)))
    for number, (stroke, colour) in enumerate(zip(strokes, colours, strict=True), 1):
        drawing.plot(*stroke.T, color=colour, linewidth=4, solid_capstyle="round")
        drawing.annotate(
            str(number), stroke[0], (-4, 4), textcoords="offset points", ha="right", color=colour
        )
    drawing.set(
        xlim=(0, 1), ylim=(1, 0), aspect="equal", title=lettered(f"{name}: {len(strokes)} strokes")
    )
    for axes in rest:
        _tree(axes, tree, strokes, 0, 0)
        axes.set(aspect="equal", title="its parts")
    for axes in (drawing, *rest):
        axes.axis("off")
    figure.tight_layout()
    # Without the creation date and version the same picture is the same file.
    with outputs.whole(path) as part:
        plt.savefig(part, format="png", dpi=120, bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)


def _tree(axes: plt.Axes, part: Component, strokes: Strokes, left: float, down: float) -> float:
    """Draw a part, in its place in the character, and what is below it, from `left` on.

    Returns the breadth taken, in leaves. Drawn and not named alone: many parts have no name, or
    one that no font has.
    """
    at, middles = left, []
    for below in part.parts:
        breadth = _tree(axes, below, strokes, at, down + 1.5)
        middles.append(at + breadth / 2)
        at += breadth
    breadth = max(at - left, 1)
    middle = left + breadth / 2
    for x in middles:
        axes.plot([middle, x], [-down - 0.5, -down - 1.1], color=MUTED, linewidth=0.8)
    for number, stroke in enumerate(strokes):
        own = number in part.strokes
        x, y = 0.8 * (stroke - 0.5).T
        axes.plot(middle + x, -down - y, color=INK if own else FAINT, linewidth=1.5 if own else 0.7)
    font = matplotlib.font_manager.get_font(matplotlib.font_manager.findfont(None))
    named = all(font.get_char_index(ord(c)) for c in part.element)
    note = f"{part.element if named else ''} {part.position}".strip()
    axes.text(middle, -down + 0.42, note, fontsize=7, color=INK, ha="center", va="bottom")
    return breadth
