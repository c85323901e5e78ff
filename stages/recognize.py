"""Read images of single characters with an exported model.

    python stages/recognize.py photo.png scans/
    python stages/recognize.py --json labelled/          # labelled/U+66F8/*.png …
    python stages/recognize.py --csv scans/ > out.csv
    python stages/recognize.py --reject photo.png        # 〓 where it is not sure enough
    python stages/recognize.py --model a.onnx --model b.onnx photo.png   # averaged
    python stages/recognize.py --monitor scans/          # do they look like what it was chosen on?
    python stages/recognize.py --candidates アイウエオ field.png
    python stages/recognize.py --strokes photo.png       # of a model that writes them (seq2seq)
    python stages/recognize.py --feedback 書 photo.png   # of a model that knows them (stroke)
    python stages/recognize.py --pen strokes.json        # and how its strokes were written
    python stages/recognize.py --explain why/ photo.png  # why/0001-photo.png: what it hangs on

Any size, grey or colour, dark on light or light on dark. A folder is searched for images; one
named U+XXXX labels those in it. A file of pen strokes is {"character": "書", "strokes": [[[x, y],
…], …]} or a list of such objects; the character, which may be left out, is what was meant.
"""

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from kakitori import drawing, matching, monitoring, outputs, reference
from kakitori.errors import DataError
from kakitori.matching import Match
from kakitori.recognizer import Feedback, Recognizer, prepare

ROOT = Path(__file__).resolve().parents[1]
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
BATCH = 64
TOP = 5
REJECTED = "〓"  # printers' mark for a character that is not at hand


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="FILE_OR_FOLDER")
    parser.add_argument(
        "--pen",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="pen strokes as JSON; where it says what was meant, also what is wrong with them",
    )
    parser.add_argument(
        "--characters",
        type=Path,
        default=ROOT / "data/characters.parquet",
        metavar="FILE",
        help="the table with the strokes that --pen compares with (data/characters.parquet)",
    )
    parser.add_argument(
        "--model",
        action="append",
        type=Path,
        help="an export; of several the probabilities are averaged (models/exports/int8.onnx)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="a line of CSV an image")
    parser.add_argument(
        "--candidates", default="", metavar="TEXT", help="the characters that may be answered"
    )
    parser.add_argument(
        "--reject",
        action="store_true",
        help=f"mark with {REJECTED} what is less probable than the answers of which 99.5 %% were "
        "right on validation",
    )
    parser.add_argument(
        "--reject-below", type=float, metavar="P", help="the same, with a probability of your own"
    )
    parser.add_argument(
        "--strokes", action="store_true", help="also the stroke types that the model writes down"
    )
    parser.add_argument(
        "--feedback",
        metavar="CHAR",
        help="also which strokes of the character that was meant are missing, by their number in "
        "writing order, and where there is ink of none of them",
    )
    parser.add_argument(
        "--monitor",
        action="store_true",
        help="compare confidence, ink and stroke width with those of validation",
    )
    parser.add_argument(
        "--explain",
        type=Path,
        metavar="FOLDER",
        help="a picture there of each image, by the network in models/: Grad-CAM and the strokes "
        "that the answer hangs on; explanation.csv has the numbers",
    )
    options = parser.parse_args()
    if not (options.paths or options.pen):
        parser.error("expected images, folders or --pen FILE, found none")
    try:
        threshold = options.reject_below
        if threshold is not None and not 0 <= threshold <= 1:
            raise DataError(f"--reject-below: expected a probability, found {threshold}")
        models = options.model or [ROOT / "models/exports/int8.onnx"]
        recognizer = Recognizer(*models, candidates=options.candidates)
        form = Json() if options.json else Csv() if options.csv else Table()
        if options.reject and threshold is None:
            threshold = recognizer.threshold
        pictures = [Picture(str(p), label_of(p), p) for p in find_images(options.paths)]
        pictures += pen_drawings(options.pen, options.characters)
        if options.explain:
            explain(pictures, recognizer, options.explain)
        recognize(
            pictures,
            recognizer,
            form,
            threshold,
            options.strokes,
            options.feedback,
            options.monitor,
        )
    except DataError as error:
        sys.exit(f"recognize: {error}")


class Picture(NamedTuple):
    """What is to be read: an image's file, or pen strokes."""

    name: str
    label: str | None  # the character that its folder or its file names
    content: Path | list[np.ndarray]
    match: Match | None = None  # of pen strokes with those of the character that was meant

    def prepared(self, size: int) -> np.ndarray:
        """Normalised, uint8 (size, size)."""
        if isinstance(self.content, Path):
            return prepare(self.content, size)
        return prepare(Image.fromarray(drawing.draw(self.content)), size)


def pen_drawings(files: list[Path], characters: Path) -> list[Picture]:
    """The drawings of files of pen strokes, compared with the table `characters` where they say
    what was meant."""
    drawings = [(file, k, one) for file in files for k, one in enumerate(drawing.read(file), 1)]
    meant = {one.character for _, _, one in drawings if one.character}
    references = reference.read(characters, meant) if meant else {}
    return [
        Picture(
            f"{file}:{k}",
            one.character,
            one.strokes,
            one.character and matching.match(one.strokes, *references[one.character]),
        )
        for file, k, one in drawings
    ]


def recognize(
    pictures: list[Picture],
    recognizer: Recognizer,
    form: "Table | Json | Csv",
    threshold: float | None,
    with_strokes: bool,
    meant: str | None,
    with_monitor: bool,
) -> None:
    first = five = labelled = 0
    seen: list[dict[str, np.ndarray]] = []
    progress = tqdm(total=len(pictures), desc="recognize", unit="image", disable=None)
    for start in range(0, len(pictures), BATCH):
        chosen = pictures[start : start + BATCH]
        images = np.stack([picture.prepared(recognizer.size) for picture in chosen])
        written = recognizer.strokes(images) if with_strokes else [None] * len(images)
        judged = recognizer.feedback(images, meant) if meant else [None] * len(images)
        read = recognizer.read_normalised(images, TOP)
        seen.append(monitoring.signals(images, np.array([top[0][1] for top in read])))
        for picture, top, strokes, found in zip(chosen, read, written, judged, strict=True):
            name, label, _, match = picture
            if label is not None:
                labelled += 1
                first += top[0][0] == label
                five += label in [character for character, _ in top]
            sure = None if threshold is None else top[0][1] >= threshold
            form.line(Reading(name, label, top, sure, strokes, found, match))
        progress.update(len(chosen))
    progress.close()
    if labelled:
        form.summary({"samples": labelled, "top1": first / labelled, "top5": five / labelled})
    if with_monitor:
        signals = {name: np.concatenate([s[name] for s in seen]) for name in seen[0]}
        form.monitor(monitoring.stability(signals, recognizer.deciles))


def explain(pictures: list[Picture], recognizer: Recognizer, folder: Path) -> None:
    """A picture in `folder` of each image, of what it is and what it is likeliest confused with:
    the label that its folder gives, or the answer; and the likeliest other answer."""
    # Only here: torch takes seconds to import, and reading does without.
    import pandas as pd

    from kakitori.results import explanation

    explainer = explanation.Explainer(recognizer)
    rows = []
    for number, shown in enumerate(tqdm(pictures, desc="explain", unit="image", disable=None), 1):
        image = shown.prepared(recognizer.size)
        top, label = recognizer.read_normalised(image[None], 2)[0], shown.label
        one = label if label and label in recognizer.classes else top[0][0]
        other = next((c for c, _ in top if c != one), None)
        if other is None:
            raise DataError("--explain: expected two candidates or more, found one")
        found = explainer.explain(image, one, other)
        picture = folder / f"{number:04d}-{Path(shown.name).stem}.png"
        with outputs.whole(picture) as part:
            explanation.draw(part, found)
        rows.append({"file": shown.name, "picture": picture.name, **found.row()})
    outputs.write_csv(folder / "explanation.csv", pd.DataFrame(rows))


class Reading(NamedTuple):
    """What was read of an image."""

    file: str
    label: str | None  # the character that its folder or its file names
    top: list[tuple[str, float]]  # the likeliest characters, best first
    sure: bool | None  # None where nobody asked
    strokes: tuple[str, float] | None
    feedback: Feedback | None
    match: Match | None

    def words(self) -> str:
        """What is right or wrong with its strokes, if anybody asked."""
        said = [in_words(self.feedback) if self.feedback else ""]
        said += [matching.in_words(self.match) if self.match else ""]
        return ". ".join(filter(None, said))


def in_words(found: Feedback) -> str:
    """What was found wrong, such as "stroke 2 of 4 is missing"."""
    count, said = len(found.presence), []
    if found.missing:
        said.append(f"{matching.these(found.missing, f' of {count}')} missing")
    if found.extra:
        left, upper, right, lower = (f"{100 * edge:.0f} %" for edge in found.extra)
        said.append(
            f"a stroke too many from {left} to {right} of the width and {upper} to {lower} of the "
            "height"
        )
    return "; ".join(said) or f"all {count} strokes are there"


class Table:
    """For people: a line an image."""

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, feedback, match = read
        cells = "  ".join(f"{character} {p:6.1%}" for character, p in top)
        mark = f"{REJECTED}  " if sure is False else ""
        print(f"{file:<40}  {label or ' '}  {mark}{cells}")
        if strokes:
            print(f"{'':<40}     {len(strokes[0])} strokes {strokes[0]} {strokes[1]:6.1%}")
        if feedback or match:
            print(f"{'':<40}     {read.words()}")

    def summary(self, found: dict) -> None:
        print(f"{found['samples']} labelled: top-1 {found['top1']:.2%}, top-5 {found['top5']:.2%}")

    def monitor(self, found: dict[str, dict]) -> None:
        for name, cell in found.items():
            print(
                f"{name.replace('_', ' ')}: mean {cell['mean']:.3f}, stability index "
                f"{cell['index']:.3f} (chance alone {cell['chance']:.3f}): {cell['verdict']}"
            )


class Json:
    """For programs: an object a line, then those of the summary and the monitor."""

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, feedback, match = read
        rounded = [[character, round(p, 6)] for character, p in top]
        line = {"file": file, "label": label, "top": rounded}
        if sure is not None:
            line["sure"] = sure
        if strokes:
            line |= {"strokes": strokes[0], "strokes_probability": round(strokes[1], 6)}
        if feedback:
            line |= {
                "missing": feedback.missing,
                "presence": [round(p, 6) for p in feedback.presence.tolist()],
                "extra": feedback.extra,
            }
        if match:
            distances = [d if d is None else round(d, 6) for d in match.distances]
            line["match"] = match._asdict() | {"distances": distances}
        print(json.dumps(line, ensure_ascii=False))

    def summary(self, found: dict) -> None:
        print(json.dumps({"summary": found}))

    def monitor(self, found: dict[str, dict]) -> None:
        print(json.dumps({"monitor": found}))


class Csv:
    """For spreadsheets: a line an image; what is not of an image goes to stderr."""

    def __init__(self) -> None:
        self.writer = csv.writer(sys.stdout, lineterminator="\n")
        ranks = [f"{what}{k + 1}" for k in range(TOP) for what in ("answer", "probability")]
        self.writer.writerow(["file", "label", "sure", *ranks, "strokes", "feedback"])

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, *_ = read
        cells = [cell for character, p in top for cell in (character, f"{p:.6f}")]
        cells += [""] * (2 * TOP - len(cells))
        known = "" if sure is None else str(sure).lower()
        cells += [strokes[0] if strokes else "", read.words()]
        self.writer.writerow([file, label or "", known, *cells])

    def summary(self, found: dict) -> None:
        print(json.dumps({"summary": found}), file=sys.stderr)

    def monitor(self, found: dict[str, dict]) -> None:
        print(json.dumps({"monitor": found}), file=sys.stderr)


def find_images(paths: list[Path]) -> Iterator[Path]:
    """The images named, and those below the folders named, in the order of their names."""
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGES and p.is_file())
            if not found:
                raise DataError(
                    f"{path}: expected images ({', '.join(sorted(IMAGES))}), found none"
                )
            yield from found
        elif path.is_file():
            yield path
        else:
            raise DataError(f"{path}: expected an image or a folder, found nothing")


def label_of(file: Path) -> str | None:
    """The character that a folder U+XXXX names, None for any other folder."""
    match = re.fullmatch(r"U\+([0-9A-Fa-f]{4,6})", file.resolve().parent.name)
    return chr(int(match[1], 16)) if match and int(match[1], 16) < 0x110000 else None


if __name__ == "__main__":
    main()
