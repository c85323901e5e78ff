"""Whole corpora by synthetic writers, as ETL files."""

import multiprocessing
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from kakitori.corpora import etl
from kakitori.params import Synthesize
from kakitori.writing import charset
from kakitori.writing.handwriting import StrokeTable, write_page


def write_corpora(characters: pd.DataFrame, folder: Path, settings: Synthesize, seed: int) -> float:
    """Write the requested sets below `folder`, one synthetic writer per ETL set.

    The bytes depend on `characters` and `seed` alone, not on the number of processes.

    Returns
    -------
    Images written per second, all files included; 0 when no writer was asked for.
    """
    for name in settings.sets:
        (folder / name).mkdir()
    if not settings.writers:
        return 0.0
    started = time.perf_counter()
    table, jis = stroke_table(characters), characters["jis"].to_numpy()
    readings = [charset.etl_reading(c) for c in characters["character"]]
    workers = settings.workers or os.cpu_count() or 1
    pool = multiprocessing.get_context("spawn").Pool(
        min(workers, settings.writers), _start, (table, jis, readings, settings.sets, seed)
    )
    files = {}
    with pool:
        pages = pool.imap(_write_set, range(settings.writers))
        for writer, sets in enumerate(
            tqdm(pages, total=settings.writers, desc="synthesize", unit="writer", disable=None)
        ):
            for name, records in sets.items():
                layout = etl.LAYOUTS[name]
                number, place = divmod(writer, layout.sets_per_file)
                if place == 0:
                    if name in files:
                        files[name].close()
                    files[name] = open(folder / name / layout.file_name.format(number + 1), "wb")
                    if layout.dummy:
                        files[name].write(bytes(layout.record))
                records.tofile(files[name])
        for file in files.values():
            file.close()
    return settings.writers * len(characters) * len(settings.sets) / (time.perf_counter() - started)


def stroke_table(characters: pd.DataFrame) -> StrokeTable:
    """The strokes of characters.parquet as arrays."""
    return StrokeTable.of(
        [
            [np.asarray(stroke, np.float32).reshape(-1, 2) for stroke in strokes]
            for strokes in characters["strokes"]
        ]
    )


def contact_sheet(characters: pd.DataFrame, seed: int, writers: int, text: str) -> np.ndarray:
    """The same characters by many writers, one row each: uint8 levels 0–255, 255 = ink."""
    shown = characters[characters["character"].isin(list(text))]
    if shown.empty:
        shown = characters.head(16)
    table = stroke_table(shown)
    rows = [np.hstack(list(write_page(table, seed, writer))) for writer in range(writers)]
    return np.vstack(rows) * np.uint8(17) if rows else np.zeros((1, 1), np.uint8)


def _start(table: StrokeTable, jis, readings, sets, seed) -> None:
    global _shared
    cv2.setNumThreads(1)
    _shared = (table, jis, readings, sets, seed)


def _write_set(writer: int) -> dict[str, np.ndarray]:
    table, jis, readings, sets, seed = _shared
    levels = write_page(table, seed, writer)
    gray = etl.etl9g_set(levels, jis, readings, writer % etl.LAYOUTS["ETL9G"].sets_per_file)
    written = {}
    if "ETL9G" in sets:
        written["ETL9G"] = gray
    if "ETL9B" in sets:
        written["ETL9B"] = etl.etl9b_set(gray, writer + 1)
    return written
