"""What the figures' font has letters for. Importing matplotlib_fontja sets that font."""

import functools

import matplotlib_fontja  # noqa: F401
from matplotlib import font_manager


def lettered(text: str) -> str:
    """Text with the code points (U+2E8C for ⺌) of what the font has no letter for."""
    known = _letters()
    return "".join(c if c.isspace() or ord(c) in known else f"U+{ord(c):04X}" for c in text)


@functools.cache
def _letters() -> frozenset[int]:
    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return frozenset(font.get_charmap())
