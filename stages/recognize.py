"""Read images of single characters with an exported model.

    python stages/recognize.py photo.png scans/
    python stages/recognize.py --json labelled/          # labelled/U+66F8/*.png …
    python stages/recognize.py --candidates アイウエオ field.png
    python stages/recognize.py --strokes photo.png       # of a model that writes them (seq2seq)

Any size, grey or colour, dark on light or light on dark. A folder is searched for images; one
named U+XXXX labels those in it.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kakitori.errors import DataError
from kakitori.recognizer import Recognizer, prepare

ROOT = Path(__file__).resolve().parents[1]
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}
BATCH = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE_OR_FOLDER")
    parser.add_argument("--model", type=Path, default=ROOT / "models/exports/int8.onnx")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--candidates", default="", metavar="TEXT", help="the characters that may be answered"
    )
    parser.add_argument(
        "--strokes", action="store_true", help="also the stroke types that the model writes down"
    )
    options = parser.parse_args()
    try:
        recognizer = Recognizer(options.model, candidates=options.candidates)
        recognize(options.paths, recognizer, options.json, options.strokes)
    except DataError as error:
        sys.exit(f"recognize: {error}")


def recognize(
    paths: list[Path], recognizer: Recognizer, as_json: bool, with_strokes: bool = False
) -> None:
    files = list(find_images(paths))
    first = five = labelled = 0
    progress = tqdm(total=len(files), desc="recognize", unit="image", disable=None)
    for start in range(0, len(files), BATCH):
        chosen = files[start : start + BATCH]
        images = np.stack([prepare(file, recognizer.size) for file in chosen])
        written = recognizer.strokes(images) if with_strokes else [None] * len(images)
        read = recognizer.read_normalised(images)
        for file, top, strokes in zip(chosen, read, written, strict=True):
            label = label_of(file)
            if label is not None:
                labelled += 1
                first += top[0][0] == label
                five += label in [character for character, _ in top]
            if as_json:
                rounded = [[character, round(p, 6)] for character, p in top]
                line = {"file": str(file), "label": label, "top": rounded}
                if strokes:
                    line |= {"strokes": strokes[0], "strokes_probability": round(strokes[1], 6)}
                print(json.dumps(line, ensure_ascii=False))
            else:
                cells = "  ".join(f"{character} {p:6.1%}" for character, p in top)
                print(f"{file!s:<40}  {label or ' '}  {cells}")
                if strokes:
                    print(f"{'':<40}     {len(strokes[0])} strokes {strokes[0]} {strokes[1]:6.1%}")
        progress.update(len(chosen))
    progress.close()
    if labelled:
        summary = {"samples": labelled, "top1": first / labelled, "top5": five / labelled}
        if as_json:
            print(json.dumps({"summary": summary}))
        else:
            print(f"{labelled} labelled: top-1 {summary['top1']:.2%}, top-5 {summary['top5']:.2%}")


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
