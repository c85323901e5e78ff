"""What ships: the INT8 file of a finished run, put into the package with what is known of it."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd

from kakitori import outputs
from kakitori.card import credits, metrics
from kakitori.errors import DataError
from kakitori.reading import context, shipped
from kakitori.reading.matching import reference
from kakitori.reading.normalising import photos, rendering
from kakitori.reading.recognizer import Recognizer
from kakitori.results import calibration, packing, provenance
from kakitori.running import params
from kakitori.writing import kanjivg

LARGEST = 2_000_000  # bytes of the model file
PRODUCED = ("dvc.lock", "metrics", "models/README.md", "params.yaml")  # changed by a run
FIGURES = ("top1_alike", "top1", "top5", "top1_low", "top1_high", "ece", "nll")
LICENCE = """\
model.onnx, strokes.bin and characters.json are under the licence Creative Commons
Attribution-ShareAlike 4.0 International: https://creativecommons.org/licenses/by-sa/4.0/legalcode

strokes.bin and characters.json are adapted from KanjiVG (polylines instead of curves, simplified),
copyright (c) Ulrich Apel, CC BY-SA 3.0: https://kanjivg.tagaini.net, version {kanjivg}.
model.onnx was trained on images that the Kakitori authors drew from these sources, whose strokes
were changed (written by synthetic hands):

{sources}

Who passes the model on names them, links to this licence and says what was changed. Kakitori's code
is under the MIT licence.
"""


def write(root: Path, folder: Path, largest: int = LARGEST) -> dict:
    """Put the model of the finished run at `root` into `folder`, whole or not at all. Where all its
    data are synthetic, how sure it is of its answers is fitted anew (calibration.py).

    Parameters
    ----------
    folder : as shipped.FOLDER holds it: model.onnx, model.json, strokes.bin, characters.json,
        LICENSE.
    largest : bytes that the model may have.

    Returns what model.json then says.

    Raises FileNotFoundError where the run is not finished; DataError where its parts are not of one
    run, code of it was never committed, or the file is larger.
    """
    settings = params.load(root / "params.yaml")
    measured, _ = metrics.read(root)
    origin = provenance.of_run(root, settings)
    export = root / "models/exports/int8.onnx"
    recognizer = Recognizer(export, threads=0)
    _check_size(export, measured["quantize"]["int8"]["bytes"], largest, settings.model, recognizer)
    table = pd.read_parquet(root / "data/characters.parquet")
    written = true(table)
    if written.empty:
        raise DataError(
            f"{root / 'params.yaml'}: synthesize.glyphs: expected kanjivg among them, whose "
            f"strokes ship too, found {', '.join(settings.synthesize.sources())}"
        )
    packed, characters = packing.pack(written, root / "data/external/kanjivg.zip")
    about = {
        "model": settings.model,
        "classes": len(recognizer.classes),
        "size": recognizer.size,
        "commit": commit(root),
        "dataset": measured["evaluate"]["dataset"],
        "glyphs": measured["evaluate"]["glyphs"].split(", "),
        "kanjivg": kanjivg.VERSION,
        "licence": {"code": "MIT", "model": "CC-BY-SA-4.0"},
        "figures": figures(measured, origin)
        | {"drawn": drawn(recognizer, reference.unpack(packed, characters))},
        "settings": chosen(settings),
    }
    with outputs.whole_folder(folder) as part:
        shutil.copyfile(export, part / shipped.MODEL)
        if origin["synthetic"]:
            about |= calibrated(about["figures"], root, part / shipped.MODEL, table, settings)
        content = (part / shipped.MODEL).read_bytes()
        about |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        outputs.write_json(part / shipped.ABOUT, about)
        (part / shipped.STROKES).write_bytes(packed)
        outputs.write_json(part / shipped.CHARACTERS, characters)
        sources = "\n".join(f"    {credits.of(name)}" for name in about["glyphs"])
        licence = LICENCE.format(kanjivg=about["kanjivg"], sources=sources)
        (part / "LICENSE").write_text(licence, "utf-8")
    return about


def _check_size(
    export: Path, measured: int, largest: int, model: str, recognizer: Recognizer
) -> None:
    size = export.stat().st_size
    if size != measured:
        raise DataError(
            f"{export}: expected the {measured:,} bytes of metrics/quantize.json, found {size:,}; "
            "`dvc repro` brings both up to date"
        )
    if size > largest:
        raise DataError(
            f"{export}: expected at most {largest:,} bytes to ship, found {size:,} of {model} with "
            f"{len(recognizer.classes):,} classes; a narrower one (model: compact, "
            "archs.compact.net) is smaller, --largest allows more"
        )


def true(table: pd.DataFrame) -> pd.DataFrame:
    """The characters whose strokes are KanjiVG's, without what was traced from fonts."""
    kept = table["forms"].map(lambda forms: [f for f in forms if f["source"] in reference.TRUE])
    return table.assign(forms=kept)[kept.map(len) > 0].reset_index(drop=True)


def figures(measured: dict[str, dict], origin: dict) -> dict:
    """What was measured of the INT8 file."""
    evaluate, quantize = measured["evaluate"], measured["quantize"]["int8"]
    parts = {"test": evaluate["int8"]}
    parts |= {name: cell["int8"] for name, cell in evaluate["hard"].items() if "int8" in cell}
    return {
        "synthetic": origin["synthetic"],
        "scheme": origin["scheme"],
        "test_samples": evaluate["test_samples"],
        "test_writer_groups": evaluate["test_writer_groups"],
        **{
            name: {key: cell[key] for key in FIGURES if key in cell} for name, cell in parts.items()
        },
        "validation_top1": quantize["val_top1"],
        "strangers_sure": quantize["strangers_sure"],
        "largest_pair_sum": quantize["largest_pair_sum"],
    }


def calibrated(
    figures: dict, root: Path, path: Path, characters: pd.DataFrame, settings: params.Settings
) -> dict:
    """Fit an ONNX file anew; what model.json then says of its calibration, and `figures` with those
    that follow from it."""
    fitted = calibration.fit(path, characters, settings.synthesize.preset)
    figures = figures | {"strangers_sure": fitted.pop("strangers_sure")}
    for name, changed in calibration.measured(root, path).items():
        if name in figures:
            figures[name] = figures[name] | changed
    return {"calibration": fitted, "figures": figures}


def chosen(settings: params.Settings) -> dict:
    """The settings that shaped the weights, as the run used them."""
    return {
        "model": settings.model,
        "seed": settings.seed,
        "data": settings.data.model_dump(),
        "synthesize": settings.synthesize.model_dump(),
        "split": settings.split.model_dump(),
        "train": settings.training().model_dump(),
        "net": settings.arch().net,
        "quantize": settings.quantize.model_dump(exclude={"formats"}),
    }


def commit(root: Path) -> str:
    """The commit that the run's code is of; DataError where it was changed since, or never
    committed."""
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    names = [line[3:] for line in changed.splitlines() if not line[3:].startswith(PRODUCED)]
    code = [name for name in names if name.startswith(("stages/", "dvc.yaml"))]
    # What ships may be there from before.
    code = [name for name in code if not (root / name).is_relative_to(shipped.FOLDER)]
    if code:
        raise DataError(
            f"{root}: expected a run of committed code, found changes in {', '.join(code[:3])}; "
            "commit them and `dvc repro`"
        )
    return _git(root, "rev-parse", "HEAD").strip()


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise DataError(
            f"{root}: expected a checkout whose code is committed, found that `git {arguments[0]}` "
            f"says: {done.stderr.strip().splitlines()[0]}"
        )
    return done.stdout


def drawn(recognizer: Recognizer, strokes: dict[str, reference.Reference]) -> dict:
    """How many of the characters it reads as their strokes stand in strokes.bin, look-alikes
    counted as one."""
    read = right(recognizer, strokes, [c for c in strokes if c in recognizer.classes])
    return {"characters": len(read), "top1_alike": float(np.mean(read))}


def right(
    recognizer: Recognizer, strokes: dict[str, reference.Reference], characters: list[str]
) -> list[bool]:
    """Whether each of `characters` is read as itself or as one that looks alike."""
    group = dict(zip(recognizer.classes, context.alike(recognizer.classes), strict=True))
    size = recognizer.size
    images = [photos.prepare_ink(rendering.draw(strokes[c].strokes), size) for c in characters]
    answers = recognizer.read_normalised(np.stack(images), 1)
    return [
        bool(top) and group[top[0][0]] == group[c]
        for top, c in zip(answers, characters, strict=True)
    ]
