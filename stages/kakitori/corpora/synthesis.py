"""Whole corpora by synthetic writers, as ETL files."""

import multiprocessing
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from kakitori.corpora import etl, forms, layouts
from kakitori.params import Synthesize
from kakitori.writing import charset
from kakitori.writing.handwriting import Hand, StrokeTable, draw_page, write_page

MODELS = -1  # the writer of the printed models


def write_corpora(characters: pd.DataFrame, folder: Path, settings: Synthesize, seed: int) -> float:
    """Write the requested sets below `folder`: each in the hands of as many writers as the settings
    ask for, and at most of those that the official set has.

    The bytes depend on `characters` and `seed` alone, not on the number of processes.

    Returns
    -------
    Images written per second, all files included; 0 when no writer was asked for.
    """
    for name in settings.sets:
        (folder / name).mkdir()
    jobs, pages = [], {}
    for family in dict.fromkeys(etl.SETS[name].family for name in settings.sets):
        names = [n for n in settings.sets if etl.SETS[n].family == family]
        writers = min(settings.writers, etl.SETS[names[0]].writers)
        # A character that the glyph source lacks is on nobody's sheet.
        written = characters[characters["character"].isin(charset.etl_positions(names[0]))]
        wanted = charset.etl_positions(names[0])[: settings.classes]
        have = set(written["character"])
        pages[family] = (names, tuple(c for c in wanted if c in have), writers)
        for name in names if writers else ():
            _allocate(folder / name, name, writers, len(pages[family][1]))
        jobs += [(family, writer) for writer in range(writers)]
        if (writers and family == "ETL8") or (family == "ETL9" and writers == 200):
            jobs.append((family, MODELS))
    if not jobs:
        return 0.0
    started = time.perf_counter()
    tables = {
        family: (stroke_table(characters, text), text) for family, (_, text, _) in pages.items()
    }
    workers = min(settings.workers or os.cpu_count() or 1, len(jobs))
    pool = multiprocessing.get_context("spawn").Pool(workers, _start, (tables, pages, folder, seed))
    with pool:
        done = pool.imap_unordered(_write, jobs)
        images = sum(tqdm(done, total=len(jobs), desc="synthesize", unit="writer", disable=None))
    return images / (time.perf_counter() - started)


def stroke_table(characters: pd.DataFrame, text: str | tuple[str, ...]) -> StrokeTable:
    """The strokes of the characters of `text`, one entry for each time they come."""
    strokes = characters.set_index("character")["strokes"]
    return StrokeTable.of(
        [[np.asarray(s, np.float32).reshape(-1, 2) for s in strokes[c]] for c in text]
    )


def contact_sheet(characters: pd.DataFrame, seed: int, writers: int, text: str) -> np.ndarray:
    """The same characters by many writers, one row each: uint8 levels 0–255, 255 = ink."""
    have = set(characters["character"])
    shown = [c for c in text if c in have] or characters["character"].head(16).tolist()
    table = stroke_table(characters, tuple(shown))
    rows = [np.hstack(list(write_page(table, seed, writer))) for writer in range(writers)]
    return np.vstack(rows) * np.uint8(17) if rows else np.zeros((1, 1), np.uint8)


def _allocate(folder: Path, name: str, writers: int, count: int) -> None:
    """Create a set's files in their full lengths, all zero."""
    chosen = etl.SETS[name]
    lengths = np.zeros(len(chosen.files), int)
    who = list(range(writers))
    if name in ("ETL8B", "ETL8G") or (name == "ETL9B" and writers == chosen.writers):
        who.append(MODELS)
    for writer in who:
        for page in range(forms.PAGES.get(name, 1)):
            file, row = forms.places(name, writer, writers, page, count)
            np.maximum.at(lengths, file, row + 1)
    for file, length in zip(chosen.files, lengths.tolist(), strict=True):
        if length:
            with open(folder / file, "wb") as out:
                out.truncate((length + chosen.dummy) * layouts.LAYOUTS[chosen.layout].record)


def _start(tables: dict, pages: dict, folder: Path, seed: int) -> None:
    global _shared
    cv2.setNumThreads(1)
    _shared = (tables, pages, folder, seed)


def _write(job: tuple[str, int]) -> int:
    """All pages of one writer of a family of sets; returns how many images were written."""
    family, writer = job
    tables, pages, folder, seed = _shared
    table, text = tables[family]
    names, _, writers = pages[family]
    base = family + "G" if family in ("ETL8", "ETL9") else family
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
            levels = write_page(table, seed, who, page)
        levels = _scanned(levels, layouts.LAYOUTS[etl.SETS[base].layout])
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
                _place(folder / name, name, gray, place)
            else:
                number = writer + 1 if writer != MODELS else etl.SETS[name].writers + 1
                _place(folder / name, name, forms.bilevel(gray, name, number), place)
            images += len(gray)
    return images


def _place(folder: Path, name: str, raw: np.ndarray, place: forms.Place) -> None:
    chosen = etl.SETS[name]
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
