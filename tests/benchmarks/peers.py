"""What people use beside ours, on the same drawings: strokes for them, pictures for us.

    apt-get install zinnia-utils tegaki-zinnia-japanese
    pip install kanjidraw
    python tests/benchmarks/peers.py DRAWINGS.zip … [--model models/exports/int8.onnx] [--every 10]

DRAWINGS.zip holds a file as `recognize.py --pen` reads it. Each is asked for the drawings whose
character it knows, and for those that all of them know. Look-alikes count as one for everyone.
Times are of one drawing on one thread, preprocessing included; kanjidraw is of Python alone.
Strokes that a peer was made of flatter it: Tegaki's model is of Tomoe's, kanjidraw's table of
KanjiVG's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.reading import shipped  # noqa: E402
from kakitori.reading.characters import charset  # noqa: E402
from kakitori.reading.matching import drawing  # noqa: E402
from kakitori.reading.normalising import photos, rendering  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402

TOP = 5
SIDE = 300  # of the square that Zinnia is told of


class Peer(NamedTuple):
    """Answers to each drawing, best first; seconds for all; bytes and known characters."""

    answers: list[str]
    seconds: float
    size: int
    known: set[str]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawings", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, help="an export of ours (the one that ships)")
    parser.add_argument("--zinnia", default="zinnia", help="the program")
    parser.add_argument(
        "--zinnia-model",
        type=Path,
        default="/usr/share/tegaki/models/zinnia/handwriting-ja.model",
        metavar="FILE",
    )
    parser.add_argument("--every", type=int, default=1, help="only every so many-th drawing")
    options = parser.parse_args()
    print("| drawings | reader | top-1 | top-5 | top-1, known to all | ms | MB | characters |")
    print("|---|---|---|---|---|---|---|---|")
    for archive in options.drawings:
        drawings = read(archive)[:: options.every]
        peers = {
            "Kakitori": ours(drawings, options.model or shipped.model()),
            "Zinnia, Tegaki's model": zinnia(drawings, options.zinnia, options.zinnia_model),
            "kanjidraw": kanjidraw(drawings),
        }
        shared = set.intersection(*(peer.known for peer in peers.values()))
        for name, peer in peers.items():
            own, common = (rates(drawings, peer.answers, of) for of in (peer.known, shared))
            print(
                f"| {archive.stem}, {own[2]:,} | {name} | {own[0]:.1%} | {own[1]:.1%} | "
                f"{common[0]:.1%} of {common[2]:,} | {1000 * peer.seconds / len(drawings):.1f} | "
                f"{peer.size / 1e6:.1f} | {len(peer.known):,} |"
            )


def read(archive: Path) -> list[drawing.Drawing]:
    """Drawings of one character each."""
    with zipfile.ZipFile(archive) as bundle, tempfile.TemporaryDirectory() as folder:
        content = [entry for name in bundle.namelist() for entry in json.loads(bundle.read(name))]
        path = Path(folder) / "drawings.json"
        path.write_text(json.dumps([d for d in content if len(d["character"]) == 1]), "utf-8")
        return drawing.read(path)


def rates(drawings: list[drawing.Drawing], answers: list[str], known: set[str]) -> tuple:
    """Top-1, top-5 and number of the drawings whose character is known."""
    alike = charset.look_alikes()
    ranks = []
    for pen_drawing, answer in zip(drawings, answers, strict=True):
        if pen_drawing.character in known:
            meant = alike.get(pen_drawing.character, pen_drawing.character)
            candidates = [alike.get(c, c) for c in answer]
            ranks.append(candidates.index(meant) if meant in candidates else TOP)
    ranks = np.array(ranks)
    return (ranks == 0).mean(), (ranks < TOP).mean(), len(ranks)


def ours(drawings: list[drawing.Drawing], model: Path) -> Peer:
    recognizer = Recognizer(model)
    began = time.perf_counter()
    answers = []
    for pen_drawing in drawings:
        image = photos.prepare_ink(rendering.draw(pen_drawing.strokes), recognizer.size)
        answers.append("".join(c for c, _ in recognizer.read_normalised(image[None], TOP)[0]))
    seconds = time.perf_counter() - began
    return Peer(answers, seconds, model.stat().st_size, set(recognizer.classes))


def zinnia(drawings: list[drawing.Drawing], program: str, model: Path) -> Peer:
    lines = []
    for pen_drawing in drawings:
        strokes = "".join(
            "(" + "".join(f"({x} {y})" for x, y in stroke) + ")"
            for stroke in squared(pen_drawing, SIDE)
        )
        lines.append(f"(character (width {SIDE})(height {SIDE})(strokes {strokes}))\n")
    command = [program, "-n", str(TOP), "-m", str(model)]
    began = time.perf_counter()
    done = subprocess.run(command, input="".join(lines), capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    # "Answer:", then a character and its score a line, then an empty line.
    answers = [
        "".join(line.split(" ")[0] for line in block.strip().splitlines())
        for block in done.stdout.split("Answer:")[1:]
    ]
    return Peer(answers, seconds, model.stat().st_size, known_to_zinnia(model))


def known_to_zinnia(model: Path) -> set[str]:
    """The characters of a model file: three numbers, the last how many there are; then of each 16
    bytes of its name, a bias, and features with their weights, up to a feature below 0."""
    numbers = np.fromfile(model, "<i4", model.stat().st_size // 4)
    place, known = 3, set()
    for _ in range(numbers[2]):
        known.add(numbers[place : place + 4].tobytes().split(b"\0")[0].decode("utf-8"))
        features = numbers[place + 5 : place + 20_000 : 2]
        place += 7 + 2 * int(np.argmax(features < 0))
    return known


def kanjidraw(drawings: list[drawing.Drawing]) -> Peer:
    from kanjidraw import lib  # AGPL: not among what we install

    known = {character for of_count in lib.kanji_data().values() for character in of_count}
    began = time.perf_counter()
    answers = []
    for pen_drawing in drawings:
        lines = [[*stroke[0], *stroke[-1]] for stroke in squared(pen_drawing, 255)]
        answers.append("".join(k for _, k in list(lib.matches(lines))[:TOP]))
    seconds = time.perf_counter() - began
    return Peer(answers, seconds, Path(lib.DATAFILE).stat().st_size, known)


def squared(pen_drawing: drawing.Drawing, side: int) -> list[list[list[int]]]:
    """Strokes in a square of this side, a twentieth of which stays free at each edge."""
    points = np.concatenate(pen_drawing.strokes)
    low, high = points.min(0), points.max(0)
    scale = 0.9 * side / max((high - low).max(), 1e-9)
    shift = side / 2 - scale * (low + high) / 2
    return [np.rint(stroke * scale + shift).astype(int).tolist() for stroke in pen_drawing.strokes]


if __name__ == "__main__":
    main()
