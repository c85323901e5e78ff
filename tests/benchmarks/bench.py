"""How fast the parts are on this machine, beside its limits and beside the usual way.

    make bench                                      # all of it but for
    python tests/benchmarks/bench.py to_97_percent  # the usual way's training, a quarter of an hour
    python tests/benchmarks/bench.py extract train  # some rows; the others stay as they were

Writes metrics/bench.json and prints its table; needs no earlier run of the pipeline, but for
`repro` and `profile`, which read the times of the last one (metrics/carbon.json). For each row

rate      medians of five rounds, in `unit`,
floor     the same if nothing but this machine's memory or multipliers were in the way: the bytes
          that have to be read and written over the bandwidth of plain copies, or multiply-adds over
          those of a large matrix product, both measured just before,
of_floor  rate over floor,
usual     the same work as it is usually written (usual.py), in turn with ours,
speedup   the median of the rounds' ratios,
processor that it was measured on: rows may be of different ones.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

import kakitori.running.threads  # noqa: E402, F401, before torch

# isort: split
from tests.benchmarks import growth, limits  # noqa: E402
from tests.benchmarks.workbench import ROUNDS, WRITERS, Bench, timed  # noqa: E402

if TYPE_CHECKING:
    from kakitori.learning.training import Trainer

RECORD = 8199  # bytes of ETL9G
IMAGE = 64 * 64  # bytes in a shard
REPORT = ROOT / "metrics/bench.json"

# Worker processes import this file anew: what they do not need, torch above all, is imported where
# it is used.


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], default=[], metavar="ROW")
    wanted = parser.parse_args().rows or [name for name in ROWS if name not in BY_REQUEST]
    report = json.loads(REPORT.read_text("utf-8")) if REPORT.is_file() else {}
    with tempfile.TemporaryDirectory(dir=ROOT / "data") as folder:
        bench = Bench(Path(folder))
        for name in wanted:
            started = time.perf_counter()
            report[name] = ROWS[name](bench)
            print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
            ordered = {k: report[k] for k in ROWS if k in report}
            REPORT.write_text(json.dumps(ordered, indent=2) + "\n", "utf-8")
    show(ordered)


def row(
    ours: Callable[[], float], usual: Callable[[], float], floor: float, unit: str
) -> dict[str, float | str]:
    """A line of the table: both are called in turn and give rates."""
    ours(), usual()  # warm: files in memory, code loaded
    pairs = [(ours(), usual()) for _ in range(ROUNDS)]
    rate = statistics.median(speed for speed, _ in pairs)
    return {
        "rate": round(rate, 1),
        "unit": unit,
        "floor": round(floor, 1),
        "of_floor": float(f"{rate / floor:.4g}"),
        "usual": round(statistics.median(other for _, other in pairs), 1),
        "speedup": round(statistics.median(speed / other for speed, other in pairs), 2),
        "processor": limits.processor(),
    }


# ---------------------------------------------------------------------------------------------
# Rows


def machine(bench: Bench) -> dict:
    """The limits that the floors are made of."""
    return {
        "processor": limits.processor(),
        "cores": os.cpu_count(),
        "bandwidth_gb_per_s": round(bench.bandwidth / 1e9, 2),
        **{
            f"{name}_multiply_adds_per_s": round(bench.peak(name) / 1e9) * 1e9
            for name in ("float32", "bfloat16", "int8")
        },
    }


def extract(bench: Bench) -> dict:
    """Records a second, ETL9G's fifty files to shards; and beside plain copies of the bytes."""
    from tests.benchmarks import usual

    from kakitori.corpora import extraction

    sources = bench.etl9g()
    total = sum(len(source.raw()) for source in sources)
    paths = [source.entry.root / source.entry.name for source in sources]
    os.sync()  # what synthesize wrote would go to the disk meanwhile

    def into_new(work: Callable[[Path], object]) -> float:
        with tempfile.TemporaryDirectory(dir=bench.folder) as name:
            return timed(lambda: work(Path(name)))

    def ours() -> float:
        return total / into_new(lambda folder: extraction.write_shards(sources, folder, 64))

    def record_loop() -> float:
        return 3000 / into_new(lambda folder: usual.extract(paths[0], folder / "usual.h5", 3000))

    def copies() -> float:
        return total / into_new(lambda folder: plain_copies(paths, folder))

    result = row(ours, record_loop, bench.bandwidth / (RECORD + IMAGE), "records/s")
    compared = [(ours(), copies()) for _ in range(ROUNDS)]
    return result | {
        "plain_copies": round(statistics.median(other for _, other in compared), 1),
        "times_as_long_as_copies": round(
            statistics.median(other / speed for speed, other in compared), 2
        ),
    }


def plain_copies(paths: list[Path], folder: Path) -> None:
    """Read every file whole and write a shard of as many images, one after the other."""
    import h5py

    for path in paths:
        content = np.fromfile(path, np.uint8)
        count = len(content) // RECORD
        with h5py.File(folder / f"{path.name}.h5", "w") as file:
            file["images"] = content[: count * IMAGE].reshape(count, 64, 64)


def synthesize(bench: Bench) -> dict:
    """Images a second, strokes of a font to tape records in the hands of writers."""
    from tests.benchmarks import usual

    strokes = [
        [np.reshape(s, (-1, 2)) for s in forms[0]["strokes"]]
        for forms in bench.characters["forms"][::10]
    ]
    rng = np.random.default_rng(0)

    def ours() -> float:
        with tempfile.TemporaryDirectory(dir=bench.folder) as name:
            return bench.synthesize(Path(name), WRITERS // 4)

    def one_by_one() -> float:
        path = bench.folder / "usual"
        return len(strokes) / timed(lambda: usual.synthesize(strokes, path, rng))

    return row(ours, one_by_one, bench.bandwidth / RECORD, "images/s")


def input_pipeline(bench: Bench) -> dict:
    """Images a second, gathered from memory and distorted, in batches as training takes them."""
    import torch
    from tests.benchmarks import usual

    trainer = bench.trainer()
    size = trainer.batch
    images, labels = trainer.training.images[:, 0].numpy(), trainer.training.labels.numpy()
    order = torch.randperm(len(labels))
    batches = [order[k : k + size] for k in range(0, 20 * size, size)]

    def ours() -> float:
        return len(batches) * size / timed(lambda: [trainer._batch(b) for b in batches])

    loader = usual.loader(images[: 20 * size], labels, size, os.cpu_count())

    def one_by_one() -> float:
        return 20 * size / timed(lambda: list(loader))

    # Bytes of the image, and of the float tensor that a network takes.
    result = row(ours, one_by_one, bench.bandwidth / (5 * IMAGE), "images/s")
    parts = step_parts(trainer, batches)
    return result | {"of_a_training_step": round(parts["batch"] / sum(parts.values()), 4)}


def step_parts(trainer: "Trainer", batches: list) -> dict[str, float]:
    """Median milliseconds of the parts of a training step."""
    import torch

    taken: dict[str, list[float]] = {}

    def lap(name: str, started: float) -> float:
        now = time.perf_counter()
        taken.setdefault(name, []).append(1000 * (now - started))
        return now

    for picked in batches:
        now = time.perf_counter()
        batch = trainer._batch(picked)
        now = lap("batch", now)
        with torch.autocast("cpu", trainer.precision, trainer.precision != torch.float32):
            outputs = trainer.forward(batch.images)
        loss = trainer.model.loss(outputs, batch)
        now = lap("forward", now)
        trainer.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        now = lap("backward", now)
        trainer.optimiser.step()
        lap("optimiser", now)
    return {name: statistics.median(times) for name, times in taken.items()}


def train(bench: Bench) -> dict:
    """Images a second that the default network learns from, their distortion included; the usual
    way is given its tensors ready."""
    import copy

    import torch
    from tests.benchmarks import usual

    trainer = bench.trainer()
    size = trainer.batch
    order = torch.randperm(len(trainer.training.labels))
    batches = [order[k : k + size] for k in range(0, 10 * size, size)]
    plain = copy.deepcopy(trainer.model).to(memory_format=torch.contiguous_format)
    learner = usual.Learner(plain)
    ready = trainer._batch(batches[0])
    images, labels = ready.images.contiguous(), ready.labels

    def ours() -> float:
        return len(batches) * size / timed(lambda: [trainer._step(b) for b in batches])

    def eager() -> float:
        return 3 * size / timed(lambda: [learner.step(images, labels) for _ in range(3)])

    floor = bench.peak("bfloat16") / (3 * bench.multiply_adds())
    result = row(ours, eager, floor, "images/s")
    parts = step_parts(trainer, batches)
    return result | {"milliseconds": {k: round(v, 1) for k, v in parts.items()}}


def inference_int8(bench: Bench) -> dict:
    """Images a second, one by one on one thread."""
    from kakitori.export import latency

    paths = bench.exports()

    def rate(name: str) -> float:
        return 1000 / latency.milliseconds(paths[name], 64, 1, 100)

    floor = bench.peak("int8", 1) / bench.multiply_adds()
    return row(lambda: rate("int8"), lambda: rate("fp32"), floor, "images/s")


def inference(bench: Bench) -> dict:
    """Milliseconds an image by batch and threads, and until the first answer of a new process's
    session; medians."""
    from kakitori.reading.sessions import in_turns, open_session

    images = np.zeros((512, 1, 64, 64), np.float32)
    cores = os.cpu_count() or 1

    def started(path: Path) -> float:
        return timed(lambda: open_session(path).run(["logits"], {"input": images[:1]}))

    def read(path: Path, batch: int, threads: int) -> float:
        session = open_session(path)
        count = 64 if batch == 1 else len(images)
        batches = [{"input": images[k : k + batch]} for k in range(0, count, batch)]

        def work() -> None:
            in_turns(lambda fed: session.run(["logits"], fed), batches, threads)

        return 1000 / count * statistics.median(timed(work) for _ in range(ROUNDS + 1))

    return {
        name: {
            "first_answer_ms": round(
                1000 * statistics.median(started(path) for _ in range(ROUNDS)), 1
            ),
            **{
                f"batch_{batch}_threads_{threads}_ms": round(read(path, batch, threads), 4)
                for batch in (1, 64)
                for threads in dict.fromkeys((1, cores))
            },
        }
        for name, path in bench.exports().items()
    }


def beside_work(bench: Bench) -> dict:
    """Images a second alone and beside another process that keeps a core busy, in turn: learned
    from, and read by INT8 with a thread per core. Shares of what is had alone are medians of the
    rounds'; how threads wait (kakitori/running/threads.py) decides them."""
    import torch

    from kakitori.reading.sessions import in_turns, open_session

    trainer = bench.trainer()
    size = trainer.batch
    order = torch.randperm(len(trainer.training.labels))
    batches = [order[k : k + size] for k in range(0, 5 * size, size)]
    session = open_session(bench.exports()["int8"])
    fed = [{"input": np.zeros((64, 1, 64, 64), np.float32)}] * 16

    def learn() -> float:
        return len(batches) * size / timed(lambda: [trainer._step(b) for b in batches])

    def read() -> float:
        return 64 * len(fed) / timed(lambda: in_turns(lambda b: session.run(["logits"], b), fed))

    report: dict = {"processor": limits.processor(), "cores": os.cpu_count()}
    for name, work in (("train", learn), ("inference_int8", read)):
        work()
        pairs = []
        for _ in range(ROUNDS):
            alone = work()
            with limits.busy():
                pairs.append((alone, work()))
        report[name] = {
            "alone": round(statistics.median(alone for alone, _ in pairs), 1),
            "beside": round(statistics.median(beside for _, beside in pairs), 1),
            "share": round(statistics.median(beside / alone for alone, beside in pairs), 3),
        }
    return report


def repro(bench: Bench) -> dict:
    """Whole runs of the default pipeline an hour: of its last run here, of which the floor is what
    training's and evaluation's multiply-adds alone would take; the usual way is what the stages
    would have taken at the rows' usual rates."""
    seconds = stage_seconds()
    report = json.loads(REPORT.read_text("utf-8"))
    seen = json.loads((ROOT / "metrics/train.json").read_text("utf-8"))["images_seen"]
    slower = {"synthesize": "synthesize", "extract": "extract", "train": "train"}
    usually = sum(
        taken * (report[slower[name]]["speedup"] if name in slower else 1)
        for name, taken in seconds.items()
    )
    work = 3 * seen * bench.multiply_adds() / bench.peak("bfloat16")
    total = sum(seconds.values())
    return {
        "rate": round(3600 / total, 2),
        "unit": "runs/h",
        "floor": round(3600 / work, 2),
        "of_floor": float(f"{work / total:.4g}"),
        "usual": round(3600 / usually, 2),
        "speedup": round(usually / total, 2),
        "processor": limits.processor(),
    }


def stage_seconds() -> dict[str, float]:
    """Of the stages of the last run, as their own energy files give them."""
    stages = json.loads((ROOT / "metrics/carbon.json").read_text("utf-8"))["stages"]
    return {name: stage["seconds"] for name, stage in stages.items()}


def to_97_percent(bench: Bench) -> dict:
    """See race.to_97_percent."""
    from tests.benchmarks import race

    return race.to_97_percent(bench)


def profile(_bench: Bench) -> dict:
    """Where the minutes of the last default run went: seconds and shares of its measured stages."""
    seconds = stage_seconds()
    total = sum(seconds.values())
    ranked = sorted(seconds.items(), key=lambda item: -item[1])
    return {name: {"seconds": s, "share": round(s / total, 3)} for name, s in ranked}


ROWS = {
    "machine": machine,
    "extract": extract,
    "synthesize": synthesize,
    "input_pipeline": input_pipeline,
    "train": train,
    "inference_int8": inference_int8,
    "repro": repro,
    "inference": inference,
    "beside_work": beside_work,
    "scaling": growth.scaling,
    "memory": growth.memory,
    "profile": profile,
    "to_97_percent": to_97_percent,
}
BY_REQUEST = {"to_97_percent"}


def show(report: dict) -> None:
    print(table(report))
    for name, figures in report.items():
        if "speedup" not in figures:
            print(f"{name}:")
            for key, value in figures.items():
                print(f"  {key:<28}{json.dumps(value)}")


def table(report: dict) -> str:
    """The rated rows in Markdown, as docs/speed.md has them."""
    lines = ["| | rate | floor | of it | the usual way | times |", "|---|---|---|---|---|---|"]
    for name, figures in report.items():
        if "speedup" in figures:
            rate, floor, usually = (figure(figures[k]) for k in ("rate", "floor", "usual"))
            lines.append(
                f"| {name} | {rate} {figures['unit']} | {floor} "
                f"| {100 * figures['of_floor']:.2g} % | {usually} | {figures['speedup']:.1f} |"
            )
    return "\n".join(lines)


def figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
