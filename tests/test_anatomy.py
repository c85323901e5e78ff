import numpy as np
from PIL import Image

from kakitori.reading.characters.radicals import Component
from kakitori.results import anatomy

STROKES = [np.array([[0.1, 0.5], [0.9, 0.5]]), np.array([[0.5, 0.1], [0.5, 0.9]])]


def test_a_character_with_and_without_a_tree(tmp_path):
    # Two names that no font has: a glyph that Unicode lacks, and a stroke type.
    tree = Component(
        "十",
        strokes=(0, 1),
        parts=(Component("CDP-8CB8", "left", (0,)), Component("㇑", strokes=(1,))),
    )
    anatomy.draw(tmp_path / "tree.png", "十", STROKES, tree)
    anatomy.draw(tmp_path / "again.png", "十", STROKES, tree)
    anatomy.draw(tmp_path / "strokes.png", "十", STROKES, None)
    assert (tmp_path / "tree.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    wide, narrow = (Image.open(tmp_path / f"{n}.png").width for n in ("tree", "strokes"))
    assert wide > 1.5 * narrow
