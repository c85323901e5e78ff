"""How time and memory grow with the data, for bench.py."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from tests.benchmarks.workbench import ROOT, ROUNDS, WRITERS, Bench, timed

SHARES = (0.25, 0.5, 1.0)  # of the data
TIMES = (1, 10)  # the data


def scaling(bench: Bench) -> dict:
    """Seconds at a quarter, a half and all of the data, and the exponent of the power law that
    fits them best: 1 where the cost grows with the data."""
    return {
        name: {
            "seconds": {f"{share:g}": round(s, 2) for share, s in zip(SHARES, taken, strict=True)},
            "exponent": round(exponent(SHARES, taken), 3),
        }
        for name, taken in (
            (name, [work(bench, share) for share in SHARES])
            for name, work in {
                "synthesize": _scaled_synthesize,
                "extract": _scaled_extract,
                "train_epoch": _scaled_epoch,
                "evaluate": _scaled_evaluate,
            }.items()
        )
    }


def exponent(shares: tuple[float, ...], seconds: list[float]) -> float:
    """Of seconds = a · share ** exponent, by least squares of the logarithms."""
    return float(np.polyfit(np.log(shares), np.log(seconds), 1)[0])


def _scaled_synthesize(bench: Bench, share: float) -> float:
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        return timed(lambda: bench.synthesize(Path(name), round(share * WRITERS)))


def _scaled_extract(bench: Bench, share: float) -> float:
    from kakitori.corpora import extraction

    sources = bench.sources(round(share * WRITERS))
    os.sync()

    def once() -> float:
        with tempfile.TemporaryDirectory(dir=bench.folder) as name:
            return timed(lambda: extraction.write_shards(sources, Path(name), 64))

    return statistics.median(once() for _ in range(ROUNDS))


def _scaled_epoch(bench: Bench, share: float) -> float:
    """On two thirds of the writers, about what the default split trains on."""
    trainer = bench.trainer(share * 0.65)
    return timed(trainer.epoch)


def _scaled_evaluate(bench: Bench, share: float) -> float:
    from kakitori.accuracy import scoring
    from kakitori.export import formats

    images, labels, _ = bench.images(share * 0.25)
    path = bench.exports()["int8"]

    def logits(some: np.ndarray) -> np.ndarray:
        return formats.logits_of(path, some)

    return timed(lambda: scoring.predict(logits, images, labels, 1.0))


def memory(bench: Bench) -> dict:
    """Mebibytes of its own that the largest process held at the most, at the default size and at
    ten times it: the same files under ten names."""
    return {
        name: {f"{times}x_mib": work(bench, times) for times in TIMES}
        for name, work in {"extract": _extract_memory, "load_mapped": _load_memory}.items()
    }


# A child's ru_maxrss begins with its parent's, so what each process holds is looked at meanwhile.
_EXTRACT = """
import sys, threading
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import psutil
from kakitori.corpora import catalog, extraction

def watch(done, peak):
    while not done.wait(0.02):
        for process in (psutil.Process(), *psutil.Process().children()):
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                continue
            held = dict(line.split(":", 1) for line in status.splitlines())
            peak[0] = max(peak[0], int(held.get("RssAnon", "0").split()[0]))

if __name__ == "__main__":
    root, target, times = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    sources = catalog.sources(root, "synthetic/ETL9G") * times
    done, peak = threading.Event(), [0]
    watcher = threading.Thread(target=watch, args=(done, peak))
    watcher.start()
    extraction.write_shards(sources, target, 64)
    done.set()
    watcher.join()
    print(round(peak[0] / 1024))
"""


def _extract_memory(bench: Bench, times: int) -> int:
    with tempfile.TemporaryDirectory(dir=bench.folder) as name:
        script = Path(name) / "peak.py"
        script.write_text(_EXTRACT, "utf-8")
        root = bench.synthetic(WRITERS)
        return own_process(str(script), str(ROOT / "stages"), str(root), name, str(times))


_LOAD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np, pandas as pd
from kakitori.learning.samples import shards
shards.SHARE = 0.0
index = pd.read_parquet(sys.argv[2])
images = shards.load_images(Path(sys.argv[3]), pd.concat([index] * int(sys.argv[4])))
rng = np.random.default_rng(0)
for _ in range(200):
    images[rng.integers(0, len(images), 128)].sum()
held = dict(line.split(":") for line in open("/proc/self/status"))
print(round(int(held["RssAnon"].split()[0]) / 1024))
"""


def _load_memory(bench: Bench, times: int) -> int:
    """Of its own alone: pages of the file may leave memory at any time."""
    path = bench.folder / "index.parquet"
    bench.index.to_parquet(path)
    return own_process(
        "-c", _LOAD, str(ROOT / "stages"), str(path), str(bench.folder / "shards"), str(times)
    )


def own_process(*arguments: str) -> int:
    """What a Python of its own prints last, a whole number."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])
