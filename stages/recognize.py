"""Read images of single characters with an exported model.

    python stages/recognize.py photo.png scans/
    python stages/recognize.py --json labelled/          # labelled/U+66F8/*.png …
    python stages/recognize.py --csv scans/ > out.csv
    python stages/recognize.py --reject photo.png        # 〓 where it is not sure enough
    python stages/recognize.py --model a.onnx --model b.onnx photo.png   # averaged
    python stages/recognize.py --monitor scans/          # do they look like what it was chosen on?
    python stages/recognize.py --candidates katakana+digits --frame 96 field.png   # known before
    python stages/recognize.py --prior text page/        # 二 or こ as text would have it
    python stages/recognize.py --strokes photo.png       # of a model that writes them (seq2seq)
    python stages/recognize.py --feedback 書 photo.png   # of a model that knows them (stroke)
    python stages/recognize.py --pen strokes.json        # and how its strokes were written
    python stages/recognize.py --explain why/ photo.png  # why/0001-photo.png: what it hangs on

Any size, grey or colour, dark on light or light on dark. A folder is searched for images; one
named U+XXXX, or after the character itself, labels those in it and below. One that cannot be read
gets a line that says why, and the status is 1 at the end. A file of pen strokes is {"character":
"書", "strokes": [[[x, y], …], …]} or a list of such objects; the character, which may be left out,
is what was meant.
"""

import argparse
import csv
import json
import os
import sys
from pathlib import Path, PurePath
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from kakitori import drawing, matching, monitoring, outputs, reference
from kakitori.corpora import photos, tree
from kakitori.errors import DataError
from kakitori.matching import Match
from kakitori.recognizer import Feedback, Recognizer, prepare
from kakitori.writing import charset

ROOT = Path(__file__).resolve().parents[1]
BATCH = 64
TOP = 5
NOTHING = "no character: there is no ink, or dots alone"
REJECTED = "〓"  # printers' mark for a character that is not at hand
PAGED = {".tif", ".tiff", ".gif", ".webp", ".png"}  # what may hold more pictures than one
CLOSED = 141  # the status of a command whose reader has seen enough, as `| head` has


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=path, metavar="FILE_OR_FOLDER")
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
        "--judge",
        nargs="+",
        choices=matching.STRICTNESS,
        default=matching.USUAL,
        metavar="WHAT",
        help="what of pen strokes counts, of shape, count (none joined or split), order and "
        "direction (shape order direction)",
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
        "--candidates",
        default="",
        metavar="TEXT",
        help="the characters that may be answered, or names of alphabets, joined by +: "
        + " ".join(charset.alphabets()),
    )
    parser.add_argument(
        "--prior",
        choices=["text"],
        default="",
        help="weigh characters by how often they are written in Japanese text",
    )
    parser.add_argument(
        "--frame",
        type=float,
        metavar="SIDE",
        help="how large the writing area was, in pixels of the images or units of the strokes; "
        "tells small characters from large ones",
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
    form = Json() if options.json else Csv() if options.csv else Table()
    try:
        threshold = options.reject_below
        if threshold is not None and not 0 <= threshold <= 1:
            raise DataError(f"--reject-below: expected a probability, found {threshold}")
        if options.explain and options.explain.exists() and not options.explain.is_dir():
            raise DataError(f"--explain: expected a folder, found the file {options.explain}")
        models = options.model or [ROOT / "models/exports/int8.onnx"]
        for needed in [*models, *([options.characters] if options.pen else [])]:
            if not needed.exists() and (who := outputs.under_way(needed)):
                raise DataError(
                    f"{needed}: expected a file, found none: {who} is under way, which may be "
                    "making it: try again when it has ended"
                )
        recognizer = Recognizer(*models, candidates=options.candidates, prior=options.prior)
        if options.reject and threshold is None:
            threshold = recognizer.threshold
        pictures, passed_over = find_pictures(options.paths)
        pictures += pen_drawings(options.pen, options.characters, options.judge)
        pictures = [picture._replace(frame=options.frame) for picture in pictures]
        if options.explain:
            explain(pictures, recognizer, options.explain)
        form.begin()
        failed = recognize(
            pictures,
            recognizer,
            form,
            threshold,
            options.strokes,
            options.feedback,
            options.monitor,
        )
        sys.stdout.flush()
        report(passed_over | further_pages(pictures))
        if failed:
            raise DataError(
                f"{len(failed)} of {len(pictures)} could not be read, the first {failed[0]}"
            )
    except DataError as error:
        sys.exit(f"recognize: {error}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is not flushed
        sys.exit(CLOSED)
    except OSError as error:
        sys.exit(f"recognize: {tree.shown(error.filename or 'files')}: {error.strerror or error}")


def path(text: str) -> Path:
    """A path of the command line; "" is none, though it would name the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, found nothing")
    return Path(text)


class Picture(NamedTuple):
    """What is to be read: an image's file, or pen strokes."""

    name: str
    label: str | None  # the character that its folder or its file names
    content: Path | list[np.ndarray] | DataError
    match: Match | None = None  # of pen strokes with those of the character that was meant
    frame: float | None = None  # the side of the writing area

    def prepared(self, size: int, frame: float | None = None) -> np.ndarray:
        """Normalised, uint8 (size, size), in a writing area of the side `frame` where it is given;
        DataError for what cannot be read."""
        if isinstance(self.content, DataError):
            raise self.content
        if isinstance(self.content, Path):
            return prepare(self.content, size, frame)
        if not drawing.has_lines(self.content):
            return np.zeros((size, size), np.uint8)
        drawn = photos.prepare_ink(drawing.draw(self.content), size)
        if frame is None:
            return drawn
        return photos.within(drawn, drawing.extent(self.content, frame), frame)


def pen_drawings(files: list[Path], characters: Path, judged: list[str]) -> list[Picture]:
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
            one.character
            and matching.match(one.strokes, *references[one.character], judged=judged),
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
) -> list[str]:
    """A line of `form` for each picture; returns which could not be read, each with the reason."""
    first = five = labelled = 0
    failed: list[str] = []
    seen: list[dict[str, np.ndarray]] = []
    progress = tqdm(total=len(pictures), desc="recognize", unit="image", disable=None)
    for start in range(0, len(pictures), BATCH):
        some = [(one, _views(one, recognizer.size)) for one in pictures[start : start + BATCH]]
        images = [image for _, image in some if not isinstance(image, str)]
        answers = iter(())
        if images:
            images, *framed = np.stack(images, 1)
            written = recognizer.strokes(images) if with_strokes else [None] * len(images)
            judged = recognizer.feedback(images, meant) if meant else [None] * len(images)
            read = recognizer.read_normalised(images, TOP, *framed)
            inked = [k for k, top in enumerate(read) if top]
            confidences = np.array([read[k][0][1] for k in inked])
            seen.append(monitoring.signals(images[inked], confidences))
            answers = zip(read, written, judged, strict=True)
        for picture, image in some:
            name, label, _, match, _ = picture
            if isinstance(image, str):
                failed.append(f"{name}: {image}")
                form.failed(name, label, image)
                continue
            top, strokes, found = next(answers)
            if label is not None:
                labelled += 1
                first += bool(top) and top[0][0] == label
                five += label in [character for character, _ in top]
            sure = None if threshold is None else bool(top) and top[0][1] >= threshold
            form.line(Reading(name, label, top, sure, strokes, found, match))
        progress.update(len(some))
    progress.close()
    if labelled:
        form.summary({"samples": labelled, "top1": first / labelled, "top5": five / labelled})
    if with_monitor and any(len(s["confidence"]) for s in seen):
        signals = {name: np.concatenate([s[name] for s in seen]) for name in seen[0]}
        form.monitor(monitoring.stability(signals, recognizer.deciles))
    return failed


def _views(picture: Picture, size: int) -> np.ndarray | str:
    """The picture normalised, uint8 (1, size, size), and where a frame is known in that frame too,
    (2, size, size); or why it cannot be read."""
    frames = [None] if picture.frame is None else [None, picture.frame]
    views = [_prepared(picture, size, frame) for frame in frames]
    return next((view for view in views if isinstance(view, str)), None) or np.stack(views)


def _prepared(picture: Picture, size: int, frame: float | None = None) -> np.ndarray | str:
    """The picture normalised, or why it cannot be read."""
    try:
        return picture.prepared(size, frame)
    except DataError as error:
        reason = str(error).removeprefix(f"{picture.content}: ").removeprefix(f"{picture.name}: ")
        if Path(picture.name).suffix.lower() in (".heic", ".heif"):
            reason += "; save it as JPEG"
        return tree.shown(reason)


def explain(pictures: list[Picture], recognizer: Recognizer, folder: Path) -> None:
    """A picture in `folder` of each image, of what it is and what it is likeliest confused with:
    the label that its folder gives, or the answer; and the likeliest other answer."""
    # Only here: torch takes seconds to import, and reading does without.
    import pandas as pd

    from kakitori.results import explanation

    explainer = explanation.Explainer(recognizer)
    rows = []
    for number, shown in enumerate(tqdm(pictures, desc="explain", unit="image", disable=None), 1):
        image = _prepared(shown, recognizer.size)
        if isinstance(image, str):  # which its line will say
            continue
        top, label = recognizer.read_normalised(image[None], 2)[0], shown.label
        if not top:  # no ink, which its line will say
            continue
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

    def begin(self) -> None:
        if reconfigure := getattr(sys.stdout, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # where the terminal has no such character

    def failed(self, file: str, label: str | None, reason: str) -> None:
        print(f"{file:<40}  {label or ' '}  not read: {reason}")

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, feedback, match = read
        cells = "  ".join(f"{character} {p:6.1%}" for character, p in top) or NOTHING
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

    def begin(self) -> None:
        self.ascii = not (sys.stdout.encoding or "").lower().startswith("utf")

    def failed(self, file: str, label: str | None, reason: str) -> None:
        line = {"file": file, "label": label, "error": reason}
        print(json.dumps(line, ensure_ascii=self.ascii))

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
        print(json.dumps(line, ensure_ascii=self.ascii))

    def summary(self, found: dict) -> None:
        print(json.dumps({"summary": found}))

    def monitor(self, found: dict[str, dict]) -> None:
        print(json.dumps({"monitor": found}))


class Csv:
    """For spreadsheets: a line an image; what is not of an image goes to stderr. In UTF-8 with its
    mark, without which Excel takes it for another encoding."""

    def begin(self) -> None:
        if reconfigure := getattr(sys.stdout, "reconfigure", None):
            reconfigure(encoding="utf-8")
        if not sys.stdout.isatty():
            print("\ufeff", end="")
        self.writer = csv.writer(sys.stdout, lineterminator="\n")
        ranks = [f"{what}{k + 1}" for k in range(TOP) for what in ("answer", "probability")]
        self.writer.writerow(["file", "label", "sure", *ranks, "strokes", "feedback", "error"])

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, *_ = read
        cells = [cell for character, p in top for cell in (character, f"{p:.6f}")]
        cells += [""] * (2 * TOP - len(cells))
        known = "" if sure is None else str(sure).lower()
        cells += [strokes[0] if strokes else "", read.words(), ""]
        self.writer.writerow(map(outputs.cell, [file, label or "", known, *cells]))

    def failed(self, file: str, label: str | None, reason: str) -> None:
        empty = [""] * (2 * TOP + 3)
        self.writer.writerow(map(outputs.cell, [file, label or "", *empty, reason]))

    def summary(self, found: dict) -> None:
        print(json.dumps({"summary": found}), file=sys.stderr)

    def monitor(self, found: dict[str, dict]) -> None:
        print(json.dumps({"monitor": found}), file=sys.stderr)


def find_pictures(paths: list[Path]) -> tuple[list[Picture], dict[str, str]]:
    """The images named, and those below the folders named, in the order of their names; and what
    was passed over there, by its name, and why."""
    pictures: list[Picture] = []
    passed_over: dict[str, str] = {}
    for path in paths:
        if path.is_dir():
            inside = tree.walk(path)
            found = [n for n in inside.files if PurePath(n).suffix.lower() in tree.PICTURES]
            if not found:
                kinds = ", ".join(sorted(tree.PICTURES))
                raise DataError(f"{tree.shown(path)}: expected images ({kinds}), found none")
            passed_over |= {f"{path / n}": why for n, why in inside.passed_over.items()}
            passed_over |= dict.fromkeys(
                (f"{path / n}" for n in sorted({*inside.files} - {*found})), "no image by its name"
            )
            for name in found:
                label = label_of(path / name, len(PurePath(name).parts))
                pictures.append(Picture(tree.shown(path / name), label, path / name))
        elif path.is_file():
            pictures.append(Picture(tree.shown(path), label_of(path), path))
        elif path.exists():
            reason = DataError(f"{path}: expected an image or a folder, found a pipe or a device")
            pictures.append(Picture(tree.shown(path), None, reason))
        else:
            found = "a link to nothing" if path.is_symlink() else "nothing"
            raise DataError(f"{tree.shown(path)}: expected an image or a folder, found {found}")
    return pictures, passed_over


def further_pages(pictures: list[Picture]) -> dict[str, str]:
    """The files that hold more pages or frames than the first, which is what is read."""
    paged = [p for p in pictures if PurePath(p.name).suffix.lower() in PAGED]
    counts = {p.name: photos.frames(p.content) for p in paged if isinstance(p.content, Path)}
    return {name: "pages or frames after the first" for name, n in counts.items() if n > 1}


def report(passed_over: dict[str, str]) -> None:
    """What was passed over, on stderr: a line a reason."""
    names: dict[str, list[str]] = {}
    for name, reason in passed_over.items():
        names.setdefault(reason, []).append(tree.shown(name))
    for reason, some in names.items():
        shown = ", ".join(some[:3]) + (", …" if len(some) > 3 else "")
        print(f"recognize: passed over {len(some)}, {reason}: {shown}", file=sys.stderr)


def label_of(file: Path, folders: int = 1) -> str | None:
    """The character that the nearest of its last `folders` folders is called after, or None. The
    name that people see counts, wherever a link leads."""
    # Not resolved, which would follow links; of "x.png" alone the current folder counts.
    parents = Path(os.path.abspath(file)).parent.parts[-folders:]  # noqa: PTH100
    codepoint = tree.character_of(PurePath(*parents))
    return None if codepoint is None else chr(codepoint)


if __name__ == "__main__":
    main()
