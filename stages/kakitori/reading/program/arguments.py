"""The command line: what can be asked of a recogniser."""

import argparse
from pathlib import Path

from kakitori.reading import matching, shipped
from kakitori.reading.characters import charset
from kakitori.reading.program.answers import REJECTED

USAGE = """\
Read images of single characters.

    {command} photo.png scans/
    {command} --json labelled/          # labelled/U+66F8/*.png …
    {command} --csv scans/ > out.csv
    {command} --reject photo.png        # 〓 where it is not sure enough
    {command} --model a.onnx --model b.onnx photo.png   # averaged
    {command} --monitor scans/          # do they look like what it was chosen on?
    {command} --candidates katakana+digits --frame 96 field.png   # known before
    {command} --prior text page/        # 二 or こ as text would have it
    {command} --strokes photo.png       # of a model that writes them (seq2seq)
    {command} --feedback 書 photo.png   # of a model that knows them (stroke)
    {command} --add 龘=龍龍龍 photo.png   # of a model that knows parts (align, hiercode)
    {command} --pen strokes.json        # and how its strokes were written
    {command} --explain why/ photo.png  # why/0001-photo.png: what it hangs on

Any size, grey or colour, dark on light or light on dark. A folder is searched for images; one
named U+XXXX, or after the character itself, labels those in it and below. One that cannot be read
gets a line that says why, and the status is 1 at the end. A file of pen strokes is {{"character":
"書", "strokes": [[[x, y], …], …]}} or a list of such objects; the character, which may be left out,
is what was meant.
"""


def parse(command: str, project: Path | None) -> argparse.Namespace:
    """What was asked for on the command line; `model` is a list, empty where none is named.

    project : the checkout whose own model and table of strokes are taken where none are named.
    """
    parser = argparse.ArgumentParser(
        description=USAGE.format(command=command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", type=path, metavar="FILE_OR_FOLDER")
    parser.add_argument("--version", action="version", version=shipped.version())
    _add_sources(parser, project)
    _add_knowledge(parser)
    _add_answers(parser)
    options = parser.parse_args()
    if not (options.paths or options.pen):
        parser.error("expected images, folders or --pen FILE, found none")
    return options


def path(text: str) -> Path:
    """A path of the command line; "" is none, though it would name the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("expected the name of a file or folder, found nothing")
    return Path(text)


def _add_sources(parser: argparse.ArgumentParser, project: Path | None) -> None:
    """Files beside the images."""
    own = " (models/exports/int8.onnx, or the one that ships)" if project else " (the shipped one)"
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        type=Path,
        help="an export; of several the probabilities are averaged" + own,
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        metavar="CHAR=PARTS",
        help="a further class of the network in models/ (align, hiercode), by what it is made of: "
        "龘=龍龍龍, 龘=⿱龍⿰龍龍",
    )
    parser.add_argument(
        "--providers",
        nargs="+",
        default=[],
        metavar="NAME",
        help="what ONNX Runtime computes with, the first best: CUDA, OpenVINO or CoreML, where the "
        "installed one has it (CPU)",
    )
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
        metavar="FILE",
        help="the strokes that --pen compares with: a table of characters or a strokes.bin"
        + (" (data/characters.parquet, or those that ship)" if project else " (those that ship)"),
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


def _add_knowledge(parser: argparse.ArgumentParser) -> None:
    """What is known before anything is read."""
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


def _add_answers(parser: argparse.ArgumentParser) -> None:
    """What is answered, and how."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="a line of CSV an image")
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
