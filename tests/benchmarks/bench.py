"""How fast the parts are on this machine: medians of five rounds.

    make bench

Prints a table; needs no earlier run of the pipeline. The usual way, record by record, is measured
beside ours in the same rounds.
"""

import os
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from operator import truediv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.corpora import archives, catalog, etl, extraction, layouts  # noqa: E402
from kakitori.corpora.source import CHUNK  # noqa: E402
from kakitori.writing import charset  # noqa: E402

if TYPE_CHECKING:
    import pandas as pd

ROUNDS = 5


# Worker processes import this file anew: what they do not need is imported where it is used.


def main() -> None:
    import pandas as pd

    from kakitori.writing import glyphs

    names = list(charset.etl9_characters())
    started = time.perf_counter()
    forms = glyphs.forms_of("font", names, Path(), 0)
    rows = [("characters traced", len(names) / (time.perf_counter() - started), "characters/s")]
    plain = [
        {
            "source": "font",
            "strokes": [s.ravel().tolist() for s in forms[c][0].strokes],
            "stroke_types": forms[c][0].types,
            "components": forms[c][0].components,
        }
        for c in names
    ]
    characters = pd.DataFrame({"character": names, "forms": [[form] for form in plain]})
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        rows += files(root, characters, names)
        rows += inference(root, names)
    for name, rate, unit in rows:
        print(f"{name:<34}{rate:>14,.2f}  {unit}")


def files(root: Path, characters: "pd.DataFrame", names: list[str]) -> list[tuple[str, float, str]]:
    from kakitori.corpora import synthesis
    from kakitori.params import Synthesize

    settings = Synthesize(
        glyphs="font",
        preset="varied",
        sets=["ETL9G"],
        writers=40,
        hard_writers=0,
        partial_writers=0,
        classes=len(names),
        max_missing=0,
        workers=0,
    )
    folder = root / "synthetic"
    folder.mkdir()
    written = []
    for _ in range(ROUNDS):
        for old in folder.rglob("ETL9G*"):
            if old.is_file():
                old.unlink()
        if (folder / "ETL9G").is_dir():
            (folder / "ETL9G").rmdir()
        written.append(synthesis.write_corpora(characters, folder, settings, 0))
    sources = catalog.sources(root, "synthetic/ETL9G")
    total = settings.writers * len(names)
    ours, decoded, usual = [], [], []
    shards = root / "shards"
    shards.mkdir()
    os.sync()  # what synthesize wrote would go to the disk meanwhile
    for _ in range(ROUNDS):
        ours.append(total / timed(lambda: extraction.write_shards(sources, shards, 64)))
        decoded.append(len(sources[0].raw()) / timed(lambda: decode(sources[0])))
        usual.append(3000 / timed(lambda: record_loop(sources[0].entry, 3000)))
    return [
        ("synthesize, all cores", statistics.median(written), "images/s"),
        ("extract, all cores, shards written", statistics.median(ours), "records/s"),
        ("decode ETL9G to 64 x 64, one core", statistics.median(decoded), "records/s"),
        ("  usual way: struct and Pillow", statistics.median(usual), "records/s"),
        ("  decode / usual way", statistics.median(map(truediv, decoded, usual)), "times"),
    ]


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def decode(source: etl.EtlFile) -> None:
    """Codes and images of 64 × 64 pixels of a whole file, as extract reads them."""
    raw = source.raw()
    source.labels(raw)
    for start in range(0, len(raw), CHUNK):
        packed = np.ascontiguousarray(raw[start : start + CHUNK, source.layout.packed])
        layouts.decode_halved(packed, source.layout)


def record_loop(entry: archives.File, count: int) -> list[np.ndarray]:
    """How published readers do it: one record, one struct, one Pillow image at a time."""
    images = []
    with open(entry.root / entry.name, "rb") as file:
        for _ in range(count):
            record = file.read(8199)
            struct.unpack(">2H8sI4B4H2B34x8128s7x", record)
            image = Image.frombytes("F", (128, 127), record[64:8192], "bit", 4)
            images.append(np.asarray(image.convert("L").resize((64, 64))) * 17)
    return images


def inference(root: Path, names: list[str]) -> list[tuple[str, float, str]]:
    import pandas as pd
    import torch

    from kakitori import params
    from kakitori.archs import contract
    from kakitori.learning import export, int8, latency

    settings = params.load()
    torch.manual_seed(0)
    model = contract.network(settings, names, pd.DataFrame()).eval()
    export.to_onnx(model, 64, settings.quantize.opset, root / "fp32.onnx")
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (128, 64, 64), dtype=np.uint8)
    int8.to_int8(root / "fp32.onnx", lambda: export.batches(samples), root / "int8.onnx")
    rows = []
    for name in ("fp32", "int8"):
        taken = [latency.milliseconds(root / f"{name}.onnx", 64, 1, 100) for _ in range(ROUNDS)]
        rows.append((f"inference {name}, one thread", statistics.median(taken), "ms an image"))
    return rows


if __name__ == "__main__":
    print(f"{os.cpu_count()} cores")
    main()
