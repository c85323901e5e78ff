"""Where strokes come from: a font's outlines traced to centre lines, or KanjiVG's own strokes.

Both give, per character, a list of *strokes*: float32 polylines of shape (points, 2), x right
and y down in the unit square, in writing order: KanjiVG's own, or for a font the likely one.
"""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from kakitori.errors import DataError
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import (
    TYPES,
    Form,
    Strokes,
    classify,
    components,
)
from kakitori.running import installing
from kakitori.running.params import ROOT
from kakitori.running.workers import spread
from kakitori.writing import kanjivg
from kakitori.writing.tracing import trace

ENOUGH = 500  # characters of KanjiVG that take longer to read than a process takes to start
RESOLUTION = 192  # pixels to an em: at half of it the strokes of 鬱-like kanji run together
WIDTH_EVERY = 0.04  # of an em: how often along a stroke the width of its pen is noted
FONTS = ".fonts"  # below the project's root, fonts that npm brought


def bundled_font() -> Path:
    """IPAexGothic, as the package matplotlib-fontja brings it."""
    import matplotlib_fontja

    return Path(matplotlib_fontja.__file__).parent / "fonts" / "ipaexg.ttf"


def packaged_font(package: str) -> Path:
    """The Japanese font of regular weight of an npm package, "@scope/name" with or without
    "@version"; the package is installed where it is not there yet."""
    folder = ROOT / FONTS / package.strip("@").replace("/", "-")
    installing.npm(folder, (package,))
    name = "@" + package[1:].partition("@")[0]
    files = (folder / "node_modules" / name).rglob("*")
    fonts = [path for path in files if path.suffix in (".ttf", ".otf", ".woff2")]
    if not fonts:
        raise DataError(f"{package}: expected a font inside, found none (synthesize.glyphs)")
    # Such packages bring a file for each weight, and often one for each subset of characters.
    return max(fonts, key=lambda p: ("japanese" in p.name, "400" in p.name, p.stat().st_size))


def forms_of(
    source: str, characters: Iterable[str], archive: Path, workers: int
) -> dict[str, tuple[Form, Component | None]]:
    """How `source` writes `characters`, and their decompositions where it knows them.

    Parameters
    ----------
    source : "font" (the bundled one), "kanjivg", "kaisho" (KanjiVG's brush-regular variants, which
        half of the kanji have), the path of a TTF, OTF or WOFF2 file, or a font's npm package
        ("@fontsource/yuji-boku@5.3.0"), which is installed below .fonts/ where it is not there.
    archive : where a user may have put an official release of KanjiVG; read for its two sources
        alone, and before the package of that name.
    workers : processes that read or trace; 0 takes one per core.

    Returns
    -------
    dict from character to form and tree; characters that the source lacks are absent.
    """
    characters = list(characters)
    if source in ("kanjivg", "kaisho"):
        variant = "Kaisho" if source == "kaisho" else ""
        return _read_kanjivg(kanjivg.release(archive), characters, variant, workers)
    if source.startswith("@"):
        font = packaged_font(source)
    else:
        font = bundled_font() if source == "font" else Path(source)
    if not font.is_file():
        raise DataError(
            f"{font}: expected a TTF, OTF or WOFF2 font, found no file (synthesize.glyphs)"
        )
    traced = trace_font(font, characters, workers, pens=source != "font")
    return {c: (form, None) for c, form in traced.items()}


def _form(strokes: Strokes, types: tuple[str, ...] = (), widths: Strokes = ()) -> Form:
    """With the types that the source gives, and by geometry where it gives none."""
    guessed = classify(strokes)
    known = types or ("",) * len(strokes)
    # Beyond JIS level 1 KanjiVG has a few types that are none of the vocabulary's.
    types = tuple(k if k in TYPES else g for k, g in zip(known, guessed, strict=True))
    return Form(strokes, types, components(strokes), widths)


def _read_kanjivg(
    release: Path, characters: list[str], variant: str, workers: int
) -> dict[str, tuple[Form, Component | None]]:
    workers = min(workers or os.cpu_count() or 1, len(characters) // ENOUGH + 1)
    batches = [characters[k::workers] for k in range(workers)]
    if workers == 1:
        _choose_release(release, variant)
        read = map(_read_batch, batches)
    else:
        read = spread(_read_batch, batches, workers, _choose_release, release, variant)
    forms = dict(itertools.chain.from_iterable(read))
    return {c: forms[c] for c in characters if c in forms}


def _choose_release(release: Path, variant: str) -> None:
    global _release, _variant
    _release, _variant = release, variant


def _read_batch(characters: list[str]) -> list[tuple[str, tuple[Form, Component]]]:
    entries = kanjivg.read(_release, characters, _variant)
    return [(c.character, (_form(c.strokes, c.types), c.tree)) for c in entries]


# ---------------------------------------------------------------------------------------------
# Fonts


def trace_font(
    font: Path, characters: list[str], workers: int = 0, pens: bool = False
) -> dict[str, Form]:
    """The form of every character that the font has, of centre-line strokes; with `pens` as wide as
    the font draws them."""
    try:
        covered = TTFont(font, lazy=True, fontNumber=0).getBestCmap()
    except Exception as error:  # fontTools raises a dozen kinds for a file that is no font
        raise DataError(f"{font}: expected a TTF or OTF font, found: {error}") from None
    if not covered:
        raise DataError(f"{font}: expected a font with Unicode characters, found one without")
    wanted = [c for c in characters if ord(c) in covered]
    workers = workers or os.cpu_count() or 1
    traced = spread(_trace_character, wanted, workers, _open_font, str(font), pens, chunk=64)
    return {c: form for c, form in zip(wanted, traced, strict=True) if form.strokes}


def _open_font(path: str, pens: bool) -> None:
    global _font, _pens
    cv2.setNumThreads(1)
    _font, _pens = ImageFont.truetype(path, RESOLUTION), pens


def _trace_character(character: str) -> Form:
    ink = render_glyph(_font, character)
    strokes = trace(ink)
    if not _pens or not strokes:
        return _form(strokes)
    strokes = [_finer(stroke, WIDTH_EVERY) for stroke in strokes]
    return _form(strokes, (), pen_widths(ink, strokes))


def pen_widths(ink: np.ndarray, strokes: Strokes) -> Strokes:
    """How wide a binary glyph, bool (R, R), is at each point of its strokes, beside their mean."""
    thickness = cv2.distanceTransform(np.pad(ink, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    last = len(ink) - 1
    at = [np.clip(np.rint(s * len(ink) - 0.5), 0, last).astype(int).T for s in strokes]
    widths = [thickness[y, x] for x, y in at]
    mean = max(np.concatenate(widths).mean(), 0.5)
    return [(width / mean).astype(np.float32) for width in widths]


def _finer(stroke: np.ndarray, spacing: float) -> np.ndarray:
    """A polyline with further points on its segments, none longer than `spacing`."""
    steps = np.linalg.norm(np.diff(stroke, axis=0), axis=1)
    pieces = np.maximum(np.ceil(steps / spacing), 1)
    at = np.concatenate([[0.0], np.cumsum(pieces)])
    every = np.arange(at[-1] + 1)
    return np.stack([np.interp(every, at, stroke[:, k]) for k in (0, 1)], 1).astype(np.float32)


def render_glyph(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """The character's em box as a bool array (RESOLUTION, RESOLUTION), True where there is ink."""
    image = Image.new("L", (RESOLUTION, RESOLUTION))
    # Ascent and descent of CJK fonts add up to more than the em; "mm" centres their middle.
    ImageDraw.Draw(image).text((RESOLUTION / 2, RESOLUTION / 2), character, 255, font, anchor="mm")
    return np.asarray(image) >= 128
