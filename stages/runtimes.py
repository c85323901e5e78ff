"""Whether other runtimes read a finished run's exports as ONNX Runtime does, and how fast.

    python stages/runtimes.py                    # all of them; twenty minutes with installation
    python stages/runtimes.py openvino litert    # some of them
    python stages/runtimes.py --run ../other     # of a finished run in another folder
    python stages/runtimes.py --install ncnn     # for quantize.formats, which may name it

Each is installed into an environment of its own below .runtimes/, once, and runs in a process of
its own on one thread, beside ONNX Runtime on the same images. Writes metrics/runtimes.json, of
which `card` makes a table, and models/runtimes/, the files of converters. See docs/runtimes.md.
"""

import json
import time
from pathlib import Path

from kakitori import outputs
from kakitori.export.runtimes import environments
from kakitori.export.runtimes.catalogue import RUNTIMES
from kakitori.results import measuring
from kakitori.running import params, stage
from kakitori.running.params import ROOT


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("what", nargs="*", metavar="NAME", help=f"{', '.join(RUNTIMES)}; or all")
    parser.add_argument("--run", type=Path, default=ROOT, help="folder of a finished run (.)")
    parser.add_argument("--samples", type=int, default=1000, help="of the test part (1000)")
    parser.add_argument(
        "--install", action="store_true", help="make their environments, and run nothing"
    )
    parser.add_argument("--drawings", type=int, default=200, help="strokes of a plain pen (200)")
    options = parser.parse_args()
    unknown = [name for name in options.what if name not in RUNTIMES]
    if unknown:
        parser.error(f"expected some of {', '.join(RUNTIMES)}, found {unknown[0]}")
    if options.samples < 1 or options.drawings < 0:
        parser.error("expected a sample or more and no fewer than 0 drawings")
    started = time.perf_counter()
    with stage.by_hand("runtimes"):
        if options.install:
            for name in options.what or RUNTIMES:
                environments.install(ROOT, name, RUNTIMES[name])
                print(f"runtimes: {name}: installed", flush=True)
            return
        root = options.run.resolve()
        files = measuring.exports(root)
        seed = params.load(root / "params.yaml").seed
        images = measuring.draw_images(root, options.samples, options.drawings, seed)
        path = root / "metrics/runtimes.json"
        about = measuring.about(root, images)
        measurements = earlier(path, about)
        for name in options.what or RUNTIMES:
            measurements["runtimes"][name] = measuring.measure(root, name, files, images)
            outputs.write_json(path, measurements)  # each at once: the next may take minutes
            report(name, measurements["runtimes"][name])
    print(f"runtimes: {time.perf_counter() - started:.1f} s")


def earlier(path: Path, about: dict) -> dict:
    """What was measured of the same run on the same images; of another run nothing is kept."""
    if path.is_file():
        measurements = json.loads(path.read_text("utf-8"))
        if measurements.get("run") == about:
            return measurements
    runtimes = {}
    for name, runtime in RUNTIMES.items():
        why = runtime.lacks() or f"`python stages/runtimes.py {name}`"
        never = {"state": measuring.NOT_TRIED, "why": why}
        runtimes[name] = {"title": runtime.title, "formats": dict.fromkeys(runtime.formats, never)}
    return {"run": about, "runtimes": runtimes}


def report(name: str, measurement: dict) -> None:
    for kind, line in measurement["formats"].items():
        summary = f"{line['state']}: {line['why']}" if "why" in line else line["state"]
        if "equal" in line:
            summary = (
                f"{line['equal']:.2%} the same answers, probabilities within "
                f"{line['probability_difference']:.2g}, top-1 {line['top1']:.2%}, "
                f"{line['milliseconds']} ms (ONNX Runtime {line['onnx_milliseconds']} ms)"
            )
        print(f"runtimes: {name}, {kind}: {summary}", flush=True)


if __name__ == "__main__":
    main()
