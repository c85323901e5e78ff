"""Whole corpora by synthetic writers, as ETL files."""

import dataclasses
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from kakitori import outputs
from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SETS
from kakitori.reading.characters import charset
from kakitori.reading.characters.strokes import Form
from kakitori.running.params import Synthesize
from kakitori.running.workers import spread
from kakitori.synthesis import forms
from kakitori.synthesis.hand import Hand
from kakitori.synthesis.handwriting import SCAN, draw_page, write_page
from kakitori.synthesis.table import StrokeTable

MODELS = -1  # the writer of the printed models
HARD_SEED = 1973  # theirs: never the seed of params.yaml


@dataclasses.dataclass(frozen=True)
class _Stack:
    """Sheets to write: all renderings of them, by the same writers.

    names : the sets. suffix : of their folders' names. text : the characters, in the order of the
    set. writers : how many. preset, seed : whose hands.
    """

    names: tuple[str, ...]
    suffix: str
    text: tuple[str, ...]
    writers: int
    preset: str
    seed: int


class Copybooks:
    """What writers learn from: each glyph source's way to write every character, and tables of
    texts in these ways, each text's made once."""

    def __init__(self, characters: pd.DataFrame) -> None:
        """`characters` : as characters.parquet has them."""
        self.characters = tuple(characters["character"])
        self.forms = glyph_forms(characters)
        self._tables: dict[tuple[str, ...], list[StrokeTable]] = {}

    def tables(self, text: tuple[str, ...]) -> list[StrokeTable]:
        """A table of the text for each source."""
        if text not in self._tables:
            self._tables[text] = [StrokeTable.of(known, text) for known in self.forms.values()]
        return self._tables[text]


def write_corpora(copybooks: Copybooks, folder: Path, settings: Synthesize, seed: int) -> float:
    """Write the requested sets below `folder`: each in the hands of as many writers as the settings
    ask for, and at most of those that the official set has; and the difficult writers of
    ETL9G-hard2, who stay the same whatever `seed` and the other settings are.

    The bytes depend on `copybooks`, `seed` and the settings alone, not on the number of processes.

    Returns
    -------
    Images written per second, all files included; 0 when no writer was asked for.
    """
    stacks = _stacks(set(copybooks.characters), settings, seed)
    jobs = []
    for number, stack in enumerate(stacks):
        for name in stack.names:
            (folder / f"{name}{stack.suffix}").mkdir()
            if stack.writers:
                _allocate(folder / f"{name}{stack.suffix}", name, stack.writers, len(stack.text))
        jobs += [(number, writer) for writer in range(stack.writers)]
        if stack.writers and any(_has_models(name, stack.writers) for name in stack.names):
            jobs.append((number, MODELS))
    if not jobs:
        return 0.0
    started = time.perf_counter()
    tables = [copybooks.tables(stack.text) for stack in stacks]
    workers = min(settings.workers or os.cpu_count() or 1, len(jobs))
    done = spread(_write, jobs, workers, _start, stacks, tables, folder)
    images = sum(tqdm(done, total=len(jobs), desc="synthesize", unit="writer", disable=None))
    return images / (time.perf_counter() - started)


def _stacks(have: set[str], settings: Synthesize, seed: int) -> list[_Stack]:
    stacks = []
    renderings: dict[tuple, list[str]] = {}  # of the same sheets
    for name in settings.sets:
        sheets = SETS[name].family, charset.etl_positions(name)
        renderings.setdefault(sheets, []).append(name)
    for names in map(tuple, renderings.values()):
        writers = min(settings.writers, SETS[names[0]].writers)
        text = text_of(names[0], have, settings.classes)
        stacks.append(_Stack(names, "", text, writers, settings.preset, seed))
    if settings.hard_writers:
        text = text_of("ETL9G", have, settings.classes)
        stacks.append(
            _Stack(("ETL9G",), charset.HARD, text, settings.hard_writers, "hard", HARD_SEED)
        )
    return stacks


def text_of(name: str, have: set[str], classes: int) -> tuple[str, ...]:
    """What stands on a set's sheets: a character that no glyph source has is on nobody's."""
    return tuple(c for c in charset.etl_positions(name)[:classes] if c in have)


def _has_models(name: str, writers: int) -> bool:
    """ETL8's models are files or parts of files of their own, ETL9B's follow its last set."""
    return name.startswith("ETL8") or (name == "ETL9B" and writers == SETS[name].writers)


def glyph_forms(characters: pd.DataFrame) -> dict[str, dict[str, Form]]:
    """The forms of characters.parquet: for each glyph source a way to write all of them, with those
    that a source lacks from the first that has them."""
    rows = list(zip(characters["character"], characters["forms"], strict=True))
    sources = dict.fromkeys(form["source"] for _, known in rows for form in known)
    result = {}
    for source in sources:
        chosen = {}
        for character, known in rows:
            form = next((f for f in known if f["source"] == source), known[0])
            strokes = [np.asarray(s, np.float32).reshape(-1, 2) for s in form["strokes"]]
            widths = [np.asarray(w, np.float32) for w in form["widths"]]
            chosen[character] = Form(
                strokes, tuple(form["stroke_types"]), tuple(form["components"]), widths
            )
        result[source] = chosen
    return result


def source_of(writer: int, sources: int) -> int:
    """Which glyph source a writer learned from: in turn, so that every part of the writers mixes
    them."""
    return writer % sources


def contact_sheet(
    copybooks: Copybooks, seed: int, writers: range, text: str, preset: str
) -> np.ndarray:
    """Characters by writers, one row each: uint8 (rows, columns) levels 0–255, 255 = ink."""
    have = set(copybooks.characters)
    shown = [c for c in text if c in have] or copybooks.characters[: len(text)]
    tables = copybooks.tables(tuple(shown))
    drawn = [
        np.hstack(list(write_page(tables[source_of(w, len(tables))], seed, w, 0, preset)))
        for w in writers
    ]
    return np.vstack(drawn) * np.uint8(17) if drawn else np.zeros((1, 1), np.uint8)


def folded(sheet: np.ndarray, columns: int) -> np.ndarray:
    """A sheet of one row or one column of ETL9G frames as many rows of `columns` frames."""
    height, width = SCAN
    cells = sheet.reshape(-1, height, sheet.shape[1] // width, width).swapaxes(1, 2)
    cells = cells.reshape(-1, height, width)
    columns = min(columns, len(cells))
    cells = cells[: len(cells) // columns * columns].reshape(-1, columns, height, width)
    return cells.swapaxes(1, 2).reshape(-1, columns * width)


def _allocate(folder: Path, name: str, writers: int, count: int) -> None:
    """Create a set's files in their full lengths, all zero."""
    chosen = SETS[name]
    lengths = np.zeros(len(chosen.files), int)
    who = list(range(writers))
    if _has_models(name, writers):
        who.append(MODELS)
    for writer in who:
        for page in range(forms.PAGES.get(name, 1)):
            file, row = forms.places(name, writer, writers, page, count)
            np.maximum.at(lengths, file, row + 1)
    for file, length in zip(chosen.files, lengths.tolist(), strict=True):
        if length:
            with open(folder / file, "wb") as out:
                outputs.reserve(
                    out, (length + chosen.dummy) * layouts.LAYOUTS[chosen.layout].record
                )


def _start(stacks: list[_Stack], tables: list[list[StrokeTable]], folder: Path) -> None:
    global _shared
    cv2.setNumThreads(1)
    _shared = (stacks, tables, folder)


def _write(job: tuple[int, int]) -> int:
    """All pages of one writer of a stack; returns how many images were written."""
    number, writer = job
    stacks, tables, folder = _shared
    stack = stacks[number]
    names, text, writers, seed = stack.names, stack.text, stack.writers, stack.seed
    table = tables[number][source_of(max(writer, 0), len(tables[number]))]
    family = SETS[names[0]].family
    ours = names == ("ALPHABET",)
    base = family + "G" if family in ("ETL8", "ETL9") and not ours else names[0]
    # ETL9's writers keep the seeds that they had when there was no other set.
    who = writer if family == "ETL9" else (writer, int(family[3:]))
    rng = np.random.default_rng([seed, max(writer, 0), int(family[3:]), 1])
    person = {
        "sex": int(rng.integers(1, 3)),
        "age": int(rng.integers(16, 66)),
        "industry": int(rng.integers(1000, 10000)),
        "occupation": int(rng.integers(0, 100)),
    }
    images = 0
    for page in range(forms.PAGES.get(base, 1)):
        if writer == MODELS:
            levels = draw_page(table, Hand.printed(), np.random.default_rng(0))
        else:
            # Ours are further sheets of ETL9's writers.
            levels = write_page(table, seed, who, page + ours, stack.preset)
        levels = _scanned(levels, layouts.LAYOUTS[SETS[base].layout])
        if base == "ETL4" and writer % 10 == 9:
            # Some sheets of ETL4 are faint: paper at levels 4–5, ink at 6–9.
            levels = (4 + levels // 3).astype(np.uint8)
        if base == "ETL9G":
            order = forms.etl9_order(text)
            levels, text_here = levels[order], tuple(text[k] for k in order)
        else:
            text_here = text
        gray = forms.records(base, text_here, levels, writer, page, person)
        for name in names:
            place = forms.places(name, writer, writers, page, len(text))
            if name == base:
                if name == "ETL9G" and writer == MODELS:
                    continue  # which has none
                forms.number(gray, name, place[1])
                _place(folder / f"{name}{stack.suffix}", name, gray, place)
            else:
                last = SETS[name].writers + 1
                raw = forms.bilevel(gray, name, last if writer == MODELS else writer + 1)
                _place(folder / f"{name}{stack.suffix}", name, raw, place)
            images += len(gray)
    return images


def _place(folder: Path, name: str, raw: np.ndarray, place: forms.Place) -> None:
    chosen = SETS[name]
    file, row = place
    for number in np.unique(file).tolist():
        here = file == number
        path = folder / chosen.files[number]
        out = np.memmap(path, np.uint8, "r+").reshape(-1, raw.shape[1])[chosen.dummy :]
        first = row[here][0]
        if (np.diff(row[here]) == 1).all():
            out[first : first + here.sum()] = raw[here]
        else:
            out[row[here]] = raw[here]


def _scanned(levels: np.ndarray, layout: layouts.Layout) -> np.ndarray:
    """A page of 128 × 127 pixels at the resolution of a layout, levels 0–15."""
    if layout.width == 128:
        return levels
    if layout.width == 64:
        halves = levels[:, :126].astype(np.uint16).reshape(len(levels), 63, 2, 64, 2).sum((2, 4))
        return ((halves + 2) // 4).astype(np.uint8)
    side = min(layout.width, layout.height)
    scaled = [
        cv2.resize(page * np.uint8(17), (side, side), interpolation=cv2.INTER_AREA)
        for page in levels
    ]
    rim = [(0, 0), *(((n - side) // 2, (n - side + 1) // 2) for n in (layout.height, layout.width))]
    return (np.pad(np.stack(scaled), rim, mode="edge").astype(np.uint16) + 8) // 17
