"""Whose strokes the synthetic writers write, for cards, pages and what ships."""

GLYPHS = {
    "font": "IPAexGothic (IPA Font License v1.0)",
    "kanjivg": "KanjiVG, © Ulrich Apel, CC BY-SA 3.0",
    "kaisho": "KanjiVG's brush-regular forms, © Ulrich Apel, CC BY-SA 3.0",
}
