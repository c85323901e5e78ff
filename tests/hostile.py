"""Damaged and hostile files by the thousand, for every reader of what comes from outside.

    PYTHONPATH=stages python -m tests.hostile 1000000 [SEED]   # so many in all; a table of counts

A reader must end in an error of ours or in samples, within five seconds, and may lose nothing in
silence: of files with a fixed number of records all are read, listed as left out, or refused.
"""

import contextlib
import functools
import importlib.metadata
import io
import json
import signal
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from onnx import TensorProto, helper
from PIL import Image, ImageDraw

from kakitori.card import metrics
from kakitori.corpora import archives, casia, etl, folders, kuzushiji, unipen
from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SETS
from kakitori.corpora.source import Samples
from kakitori.errors import DataError, SettingsError
from kakitori.reading import memory, monitoring
from kakitori.reading.matching import drawing
from kakitori.reading.normalising import photos, rendering
from kakitori.reading.recognizer import Recognizer
from kakitori.running import params
from kakitori.synthesis import forms
from kakitori.writing import kanjivg

LIMIT = 5  # seconds for one input
SIDE = 16  # pixels of the images that are made of it


class Reader(NamedTuple):
    """seeds : whole files, each its name and content. read : reads the file of that name, which is
    then damaged, and returns how many samples it gave or listed as left out. share : of all
    inputs; what reads slowly gets fewer. records : how many a file of this length has, where that
    is fixed. together : whether the files are parts of one."""

    seeds: list[tuple[str, bytes]]
    read: Callable[[Path], int]
    share: float
    records: Callable[[int], int] | None = None
    together: bool = False


def told(samples: Samples) -> int:
    """How many samples there are, after looking at all of their images; with those left out."""
    images = sum(len(chunk.images) for chunk in samples.chunks)
    assert images == len(samples.codepoint), "as many images as codes"
    return images + len(samples.rejects)


# --- whole files ---------------------------------------------------------------------------------


def _etl(name: str) -> tuple[str, bytes]:
    layout = layouts.LAYOUTS[SETS[name].layout]
    levels = np.random.default_rng(0).integers(
        0, 1 << layout.bits, (2, layout.height, layout.width), dtype=np.uint8
    )
    person = {"sex": 1, "age": 23, "industry": 9144, "occupation": 11}
    return SETS[name].files[0], forms.records(name, ("あ", "い"), levels, 0, 0, person).tobytes()


def _picture(kind: str) -> bytes:
    image = Image.new("L", (24, 24), "white")
    ImageDraw.Draw(image).line([(12, 3), (12, 21)], "black", 3)
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def _gnt() -> bytes:
    bitmap = np.full((12, 9), 255, np.uint8)
    bitmap[3:9, 2:6] = 20
    return b"".join(
        struct.pack("<I2sHH", 10 + bitmap.size, c.encode("gb2312"), 9, 12) + bitmap.tobytes()
        for c in "啊阿埃挨"
    )


def _pot() -> bytes:
    points = [(10, 50), (90, 50), (-1, 0), (50, 10), (50, 60), (52, 90), (-1, 0), (-1, -1)]
    ink = b"".join(struct.pack("<hh", *point) for point in points)
    return b"".join(
        struct.pack("<H2s2xH", 8 + len(ink), c.encode("gb2312")[::-1], 2) + ink for c in "啊阿埃挨"
    )


def _unipen() -> bytes:
    head = ".VERSION 1.0\n.X_DIM 640\n.HIERARCHY TEXT CHARACTER\n.WRITER_ID w07\n.COORD X Y\n"
    ink = ".PEN_DOWN\n0 32\n64 32\n.PEN_UP\n.PEN_DOWN\n32 0\n32 40\n34 64\n.PEN_UP\n"
    labels = ("十", "0x3021", "JISx8d95")
    return (
        head
        + "".join(
            f'.SEGMENT CHARACTER {2 * k}-{2 * k + 1} ? "{label}"\n{ink}'
            for k, label in enumerate(labels)
        )
    ).encode()


def _npz(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, array)
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name in ("U+3042/a.png", "U+3042/b.png", "U+4E9C/a.png"):
            bundle.writestr(zipfile.ZipInfo(f"x/{name}"), _picture("PNG"))
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as bundle:
        for name in ("x/U+3042/a.png", "x/U+4E9C/a.png"):
            entry, content = tarfile.TarInfo(name), _picture("PNG")
            entry.size = len(content)
            bundle.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _release() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(zipfile.ZipInfo("kanji/05341.svg"), _svg())
    return out.getvalue()


def _told() -> bytes:
    """What the file of a model says of itself."""
    seen = monitoring.signals(np.zeros((4, 8, 8), np.uint8), np.ones(4))
    metadata = {"classes": "ab", "size": "8", "temperature": "1.5", "threshold": "0.9"}
    metadata |= {"background": "-2", "stroke_counts": "2 1", "deciles": monitoring.reference(seen)}
    return "\n".join(f"{key}\t{value}" for key, value in metadata.items()).encode("latin-1")


def _memory() -> bytes:
    image = np.zeros((8, 8), np.uint8)
    image[1:7, 3:5] = 255
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.json"
        memory.write(path, [memory.Example(c, image) for c in "十一"], 8)
        return path.read_bytes()


def _pen() -> bytes:
    strokes = [[[10, 50], [90, 48.5]], [[50, 10], [52, 60], [49, 95]]]
    return json.dumps([{"character": "十", "strokes": strokes}, {"strokes": strokes}]).encode()


def _svg() -> bytes:
    distribution = importlib.metadata.distribution("kanjivg")
    return Path(str(distribution.locate_file("kanji/05341.svg"))).read_bytes()


# --- readers -------------------------------------------------------------------------------------


def _read_etl(name: str) -> Callable[[Path], int]:
    def read(path: Path) -> int:
        place = archives.File(path.parent, path.name)
        return told(etl.EtlFile(f"raw/{name}", name, 1, place).read(SIDE))

    return read


def _read_corpus(module: object) -> Callable[[Path], int]:
    def read(path: Path) -> int:
        folder = path.parents[1] if path.parent.name.startswith("U+") else path.parent
        sources = module.sources(path if path.suffix == ".zip" else folder, "raw/x")
        if not sources:  # the catalogue then says that it is no corpus
            raise DataError("none of them")
        return sum(told(source.read(SIDE)) for source in sources)

    return read


def _read_pen(path: Path) -> int:
    drawings = drawing.read(path)
    for pen_drawing in drawings:
        assert rendering.draw(pen_drawing.strokes).shape == (rendering.SIDE, rendering.SIDE)
    return len(drawings)


def _read_svg(path: Path) -> int:
    return len(kanjivg.parse(path.read_bytes(), "十", path.name).strokes)


def _read_photo(path: Path) -> int:
    assert photos.prepare(path, SIDE).shape == (SIDE, SIDE)
    return 1


def _read_settings(path: Path) -> int:
    params.load(path)
    return 1


def _read_release(path: Path) -> int:
    if not (read := list(kanjivg.read(path, ["十"]))):
        raise DataError("no 十, which `characters` then says")
    return len(read)


def _read_memory(path: Path) -> int:
    return len(memory.read(path, 8, "十一"))


def _read_model(path: Path) -> int:
    """A network of one step that says of itself what stands in the file."""
    lines = (line.partition("\t") for line in path.read_bytes().decode("latin-1").split("\n"))
    metadata = {key: value for key, _, value in lines}
    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, None, None])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", None])
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["input"], ["logits"])], "g", [value], [out]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    helper.set_model_props(model, metadata)
    file = path.with_suffix(".onnx")
    file.write_bytes(model.SerializeToString())
    try:
        return len(Recognizer(file).classes)
    finally:
        file.unlink()


def _read_metrics(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):  # of the next file: this one was read
        metrics.read(path.parent.parent)
    return 1


def _records(length: int, size: int) -> int:
    return size // length


def readers() -> dict[str, Reader]:
    kinds = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
    pictures = [(f"U+3042/a.{kind.lower()}", _picture(kind)) for kind in kinds]
    images = np.zeros((4, 28, 28), np.uint8)
    images[:, 4:24, 5:9] = 230
    sets = {}
    for name in ("ETL1", "ETL9G"):
        file, whole = _etl(name)
        records = functools.partial(_records, len(whole) // 2)
        sets[f"ETL: {name}"] = Reader([(file, whole)], _read_etl(name), 0.05, records)
    npz = [
        ("k49-train-imgs.npz", _npz(images)),
        ("k49-train-labels.npz", _npz(np.arange(4, dtype=np.uint8))),
    ]
    settings = (params.ROOT / "params.yaml").read_bytes()
    extract = (params.ROOT / "metrics/extract.json").read_bytes()
    return {
        **sets,
        "CASIA .gnt": Reader([("a.gnt", _gnt())], _read_corpus(casia), 0.15),
        "CASIA .pot": Reader([("a.pot", _pot())], _read_corpus(casia), 0.15),
        "UNIPEN": Reader([("a.dat", _unipen())], _read_corpus(unipen), 0.15),
        "Kuzushiji-49 .npz": Reader(npz, _read_corpus(kuzushiji), 0.02, lambda size: 4, True),
        "folders of pictures": Reader(pictures, _read_corpus(folders), 0.05),
        "zip of pictures": Reader([("x.zip", _zip())], _read_corpus(folders), 0.02),
        "tar of pictures": Reader([("x.tar.gz", _tar())], _read_corpus(folders), 0.01),
        "photos": Reader(pictures, _read_photo, 0.02),
        "pen strokes": Reader([("a.json", _pen())], _read_pen, 0.139),
        "KanjiVG": Reader([("05341.svg", _svg())], _read_svg, 0.15),
        "KanjiVG's archive": Reader([("kanjivg.zip", _release())], _read_release, 0.01),
        "a model of itself": Reader([("told", _told())], _read_model, 0.01),
        "examples of a hand": Reader([("memory.json", _memory())], _read_memory, 0.01),
        "metrics": Reader([("metrics/extract.json", extract)], _read_metrics, 0.01),
        "params.yaml": Reader([("params.yaml", settings)], _read_settings, 0.001),
    }


# --- damage --------------------------------------------------------------------------------------


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """A file with one to four wounds: flipped bits, other bytes, numbers at their limits, pieces
    cut out, doubled, moved or cut off."""
    raw = bytearray(whole)
    for _ in range(int(rng.integers(1, 5))):
        if not raw:
            break
        at = int(rng.integers(len(raw)))
        if rng.random() < 0.4:  # heads are where the numbers are
            at = min(at, int(rng.integers(64)))
        length = int(rng.integers(1, 1 + min(len(raw) - at, 1 << int(rng.integers(0, 10)))))
        kind = int(rng.integers(7))
        if kind == 0:
            raw[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            raw[at : at + length] = rng.bytes(length)
        elif kind == 2:
            extreme = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"-1", b"1e999", b"\n")
            replacement = extreme[int(rng.integers(len(extreme)))]
            raw[at : at + len(replacement)] = replacement
        elif kind == 3:
            del raw[at : at + length]
        elif kind == 4:
            raw[at:at] = raw[at : at + length] * int(rng.integers(1, 4))
        elif kind == 5:
            to = int(rng.integers(len(raw)))
            raw[to : to + length] = raw[at : at + length]
        else:
            del raw[at:]
    return bytes(raw)


class TooSlowError(BaseException):
    """No Exception: a reader that takes any for damage must not catch it."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError(f"longer than {seconds} s of this process's time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # not of a busy machine's
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def attack(name: str, reader: Reader, count: int, folder: Path, seed: int = 0) -> dict[str, int]:
    """`count` damaged files for one reader. Returns how many ended in samples, in an error, and
    what was wrong: a line each, with the number that makes the file again."""
    outcome: dict[str, int] = {"read": 0, "refused": 0}
    numbers = [-1 - k for k in range(len(reader.seeds))]  # each as it is, first
    for number in [*numbers, *range(count)]:
        file, content = reader.seeds[number % len(reader.seeds)]
        if number >= 0:
            content = damaged(content, np.random.default_rng([seed, number]))
        there = {**dict(reader.seeds if reader.together else ()), file: content}
        for path, each in there.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(each)
        if number < 0:
            assert reader.read(folder / file) > 0, f"{name}: {file} is read"
        try:
            with limited(LIMIT):
                sample_count = reader.read(folder / file)
            expected = reader.records(len(content)) if reader.records else 1
            lost = sample_count < expected
            key = f"{name} {number}: lost {expected - sample_count}" if lost else "read"
        except (DataError, SettingsError) as error:
            lines = str(error).splitlines()
            key = "refused" if len(lines) == 1 else f"{name} {number}: {len(lines)} lines"
        except (Exception, TooSlowError) as error:
            key = f"{name} {number}: {type(error).__name__}: {error}"
        if number >= 0:
            outcome[key] = outcome.get(key, 0) + 1
        for path in there:
            (folder / path).unlink()
    return outcome


def main() -> None:
    total, seed = (int(number) for number in [*sys.argv[1:], 0][:2])
    cv2.setNumThreads(1)
    print("| reader | inputs | read | refused | wrong | seconds |\n|---|---|---|---|---|---|")
    sums = np.zeros(4, int)
    for name, reader in readers().items():
        count, started = round(total * reader.share), time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            outcome = attack(name, reader, count, Path(folder) / "x", seed)
        read, refused = outcome.pop("read"), outcome.pop("refused")
        row = [count, read, refused, sum(outcome.values())]
        sums += row
        cells = " | ".join(f"{n:,}" for n in row)
        print(f"| {name} | {cells} | {time.perf_counter() - started:.0f} |", flush=True)
        for line in list(outcome)[:20]:
            print(line, file=sys.stderr, flush=True)
    print("| all | " + " | ".join(f"{n:,}" for n in sums) + " | |")


if __name__ == "__main__":
    main()
