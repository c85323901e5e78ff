"""A small data/characters.parquet, for tests of what knows strokes and radicals."""

import functools
from collections.abc import Sequence

import pandas as pd
from PIL import ImageFont

from kakitori.reading.characters import charset, radicals
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import classify, components
from kakitori.writing import glyphs, tracing

# Decompositions as KanjiVG has them, for some; the others have none, like without its archive.
TREES = {
    "林": Component("林", parts=(Component("木", "left"), Component("木", "right"))),
    "相": Component("相", parts=(Component("木", "left"), Component("目", "right"))),
    "杏": Component("杏", parts=(Component("木", "top"), Component("口", "bottom"))),
}


@functools.cache
def characters(text: str | Sequence[str]) -> pd.DataFrame:
    """The rows of `text`, its glyphs traced from the font that pip brings."""
    font = ImageFont.truetype(str(glyphs.bundled_font()), glyphs.RESOLUTION)
    rows = []
    for character in text:
        # In this process: forms_of starts others, which takes longer than a dozen glyphs.
        strokes = tracing.trace(glyphs.render_glyph(font, character))
        plain = {
            "strokes": [stroke.ravel().tolist() for stroke in strokes],
            "stroke_types": list(classify(strokes)),
            "components": list(components(strokes)),
        }
        rows.append(
            {
                "character": character,
                "codepoint": ord(character),
                "script": charset.script(ord(character)),
                "stroke_count": len(strokes),
                **plain,
                "forms": [{"source": "font", **plain, "widths": []}],
                "radicals": radicals.kradfile(character),
                "decomposition": TREES[character].to_json() if character in TREES else "",
            }
        )
    return pd.DataFrame(rows)
