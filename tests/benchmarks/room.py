"""The memory of a GPU that a training step takes, reckoned without one.

    python tests/benchmarks/room.py [ARCHITECTURE …]     # after `dvc repro characters`

Each architecture takes steps of its recipe at batches of 512 and 1,024, with ETL9's 3,036 classes
and in bfloat16, on the pretended device of tests/pretend.py, where each tensor's bytes are known
and none is there. Counted as torch's allocator counts them, in blocks of 512 bytes; the largest
sum of a step is what it takes. Largest batches follow from the two, on a card that also holds
ETL9G's images and CUDA itself. Not counted: what cuDNN borrows meanwhile, and gaps between blocks.
"""

import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

from tests import pretend  # noqa: E402

from kakitori.learning import contract  # noqa: E402
from kakitori.reading.characters.charset import etl9_characters  # noqa: E402
from kakitori.running import params  # noqa: E402

BATCHES = 512, 1024
CARDS = 16, 24, 80  # GB
IMAGES = 607_200 * 64 * 64  # bytes of ETL9G's, which are on the card
CUDA = 1e9  # bytes that are taken for its own, before any tensor


def taken(settings: params.Settings, classes: list[str], table: pd.DataFrame, batch: int) -> dict:
    """Bytes: `held` between steps (weights, gradients and what the optimiser keeps), and `peak`."""
    options = settings.training()
    epochs = 4 if options.qat else 2  # of a step each, of which the last rounds
    changes = {"batch": batch, "epochs": epochs, "precision": "bfloat16"}
    for mode in (pretend.Metered(), pretend.Metered()):
        model = contract.network(settings, classes, table)
        run = pretend.trainer(model, len(classes), options.model_copy(update=changes), mode)
        pretend.steps(run, mode)
    # Of the second: when torch meets an operation first, it works its shapes out with tensors.
    return {"held": mode.live, "peak": mode.peak}


def largest(card: float, half: dict, whole: dict) -> int:
    """The largest batch for a card of so many bytes, a multiple of 64; 0 for none."""
    each = (whole["peak"] - half["peak"]) / (BATCHES[1] - BATCHES[0])
    left = card - CUDA - IMAGES - (whole["peak"] - BATCHES[1] * each)
    return max(int(left / each) // 64 * 64, 0)


def main() -> None:
    pretend.register()
    settings = params.load(ROOT / "params.yaml")
    table, classes = pd.read_parquet(ROOT / "data/characters.parquet"), sorted(etl9_characters())
    cards = " | ".join(f"largest batch for {card} GB" for card in CARDS)
    print(f"| architecture | weights, gradients, optimiser | a step of 1,024 | {cards} |")
    print("|---" * (3 + len(CARDS)) + "|")
    for name in sys.argv[1:] or params.known_models():
        own = settings.model_copy(update={"model": name})
        half, whole = (taken(own, classes, table, batch) for batch in BATCHES)
        most = " | ".join(f"{largest(card * 1e9, half, whole):,}" for card in CARDS)
        held, peak = whole["held"] / 1e9, whole["peak"] / 1e9
        print(f"| {name} | {held:.2f} GB | {peak:.2f} GB | {most} |", flush=True)


if __name__ == "__main__":
    main()
