"""Whether an INT8 file answers on a processor without VNNI as on one that has it, with any pen.

    python tests/benchmarks/pens.py models/exports/int8.onnx
    python tests/benchmarks/pens.py models/exports/int8.onnx --emulator qemu-x86_64-static

Reads samples of the test part, and drawings of the strokes of data/characters.parquet with pens of
2 to 12 % of the side, twice: by ONNX Runtime as it comes, here or on an emulated Haswell; and
without sums in 16 bits (`session.x64quantprecision`), which gives what VNNI gives. Without the
emulator (Debian's qemu-user-static) a processor that has VNNI (`grep vnni /proc/cpuinfo`) shows
nothing.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.learning.samples import data  # noqa: E402
from kakitori.reading.normalising import rendering  # noqa: E402
from kakitori.reading.normalising.photos import prepare  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402

PENS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12)  # of the side: edges of the groups that are printed
READ = """
import sys
import numpy as np
import onnxruntime
model, images, setting, found = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.add_session_config_entry("session.x64quantprecision", setting)
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
inputs = np.load(images)[:, None].astype(np.float32) / 127.5 - 1
starts = range(0, len(inputs), 50)
logits = [session.run(["logits"], {"input": inputs[k : k + 50]})[0] for k in starts]
np.save(found, np.concatenate(logits).argmax(1))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--emulator", help="qemu-x86_64-static, where it is installed or unpacked")
    parser.add_argument("--count", type=int, default=1000, help="samples, and as many drawings")
    options = parser.parse_args()
    recognizer = Recognizer(options.model)
    classes, rng = recognizer.classes, np.random.default_rng(0)

    index = data.placed_index(ROOT)
    test = index[index["part"] == "test"]
    rows = np.sort(rng.choice(len(test), min(options.count, len(test)), replace=False))
    part = data.load_part(ROOT, test.iloc[rows], "test", list(classes))
    table = pd.read_parquet(ROOT / "data/characters.parquet").set_index("character")["strokes"]
    drawn = rng.integers(len(classes), size=options.count)
    pens = rng.uniform(PENS[0], PENS[-1], options.count)
    drawings = []
    for number, pen in zip(drawn, pens, strict=True):
        rendering.PEN = rendering.SIDE * pen
        strokes = [np.reshape(stroke, (-1, 2)) for stroke in table[classes[number]]]
        drawings.append(prepare(Image.fromarray(255 - rendering.draw(strokes)), recognizer.size))
    images = np.concatenate([part.images[:, 0].numpy(), np.stack(drawings)])
    labels = np.concatenate([part.labels.numpy(), drawn])
    pens = np.concatenate([np.zeros(len(rows)), pens])

    older = [options.emulator, "-cpu", "Haswell-noTSX"] if options.emulator else []
    plain, exact = (answers(options.model, images, *how) for how in ((older, "0"), ([], "1")))
    groups = {"test samples": pens == 0, "drawings": pens > 0}
    for low, high in itertools.pairwise(PENS):
        groups[f"pens of {low:.0%} to {high:.0%}"] = (pens >= low) & (pens < high)
    for name, of in groups.items():
        print(
            f"{name}: {of.sum():,}, answers that are equal {(plain == exact)[of].mean():.2%}, "
            f"top-1 {(plain == labels)[of].mean():.2%}, exact {(exact == labels)[of].mean():.2%}"
        )


def answers(model: Path, images: np.ndarray, before: list[str], setting: str) -> np.ndarray:
    """What a process of its own answers, int64 (N,): READ, run by the command `before`."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/images.npy", images)
        files = [str(model), f"{folder}/images.npy", setting, f"{folder}/found.npy"]
        subprocess.run([*before, sys.executable, "-c", READ, *files], check=True)
        return np.load(f"{folder}/found.npy")


if __name__ == "__main__":
    main()
