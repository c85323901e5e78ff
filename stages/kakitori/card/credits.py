"""Whose strokes the synthetic writers write, for cards, pages and what ships."""

_OFL = "SIL Open Font License 1.1"

GLYPHS = {
    "font": "IPAexGothic (IPA Font License v1.0)",
    "kanjivg": "KanjiVG, © Ulrich Apel, CC BY-SA 3.0",
    "kaisho": "KanjiVG's brush-regular forms, © Ulrich Apel, CC BY-SA 3.0",
    "@fontsource/zen-kurenaido": f"Zen Kurenaido, © The Zen Kurenaido Project Authors ({_OFL})",
    "@fontsource/yuji-boku": f"Yuji Boku, © The Yuji Project Authors ({_OFL})",
    "@fontsource/yuji-syuku": f"Yuji Syuku, © The Yuji Project Authors ({_OFL})",
    "@fontsource/new-tegomin": f"New Tegomin, © The New Tegomin Project Authors ({_OFL})",
}


def of(source: str) -> str:
    """Who drew a glyph source, and under which terms; a package's with or without its version."""
    name = "@" + source[1:].partition("@")[0] if source.startswith("@") else source
    return GLYPHS.get(name, f"the font {source}, under its own terms")
