"""What one accuracy does not tell: the leak of a random split, robustness, a map of the classes.

    python stages/study.py                  # all of them; the leak trains a second model
    python stages/study.py robustness map   # some of them

Reads the finished run, so it is no stage; writes metrics/study/: robustness.csv and robustness.png,
map.html (one page that needs no network) and map.json, leak.json. See docs/study.md.
"""

import time

import numpy as np

from kakitori import outputs
from kakitori.learning import saved
from kakitori.learning.samples import data, table
from kakitori.reading.recognizer import Recognizer
from kakitori.results import embedding, leak, provenance, robustness
from kakitori.running import params, stage
from kakitori.running.params import ROOT

FOLDER = ROOT / "metrics/study"
SAMPLES = 3000  # of the test part that the distortions are tried on


def measure_robustness(settings: params.Settings, about: dict) -> None:
    recognizers = {
        name: Recognizer(ROOT / f"models/exports/{name}.onnx", threads=0)
        for name in ("int8", "fp32")
    }
    index = data.placed_index(ROOT)
    test = index[index["part"] == "test"]
    rng = np.random.default_rng(settings.seed)
    some = np.sort(rng.choice(len(test), min(SAMPLES, len(test)), replace=False))
    part = data.load_part(ROOT, test.iloc[some], "test", list(recognizers["int8"].classes))
    groups = part.rows["writer_group"].to_numpy()
    images, labels = part.images[:, 0].numpy(), part.labels.numpy()
    table = robustness.measure(recognizers, images, labels, groups)
    first = table.set_index(["way", "format"])["top1"].groupby(level=[0, 1]).first()
    provenance.agrees(ROOT, "int8", first["network", "int8"])
    table = table.assign(**{key: about[key] for key in ("model", "synthetic", "fingerprint")})
    outputs.write_csv(FOLDER / "robustness.csv", table)
    with outputs.whole(FOLDER / "robustness.png") as path:
        robustness.draw(path, table, f"{_source(about)}; {len(labels):,} test samples")
    print(f"study: robustness: {len(table)} figures on {len(labels):,} test samples")


def draw_map(settings: params.Settings, about: dict) -> None:
    described = saved.describe(ROOT / "models")
    model, classes = described.network(), described.classes
    part = data.load_part(ROOT, data.placed_index(ROOT), "test", classes)
    features, answers = embedding.read(model, part.images, described.precision)
    shown, labels = np.unique(part.labels.numpy(), return_inverse=True)  # classes that are tested
    provenance.agrees(ROOT, "torch", float((answers == part.labels.numpy()).mean()))
    known = table.read(ROOT / "data/characters.parquet", classes).set_index("character")
    characters = [classes[k] for k in shown]
    components = known["radicals"].loc[characters].tolist()
    has = embedding.membership(components)
    centres = embedding.centres(features, labels)
    near = embedding.neighbours(centres)
    places = embedding.flat(centres, settings.seed)
    figures = about | embedding.summary(centres, places, near, has)
    # Answers that are never tested are of no place on the map.
    place = np.full(len(classes), -1)
    place[shown] = np.arange(len(shown))
    text = embedding.page(
        characters, components, place[answers], labels, places, near, has, figures
    )
    with outputs.whole(FOLDER / "map.html") as path:
        path.write_text(text, "utf-8")
    outputs.write_json(FOLDER / "map.json", figures)
    shares = figures["share_a_component"]
    print(
        f"study: map: {shares['neighbours']:.1%} of the {figures['nearest']} nearest classes share "
        f"a component, of all classes {shares['chance']:.1%}"
    )


def measure_leak(settings: params.Settings, about: dict) -> None:
    leak.same_settings(ROOT)
    with leak.working_copy(ROOT) as copy:
        leak.run(copy)
        comparison = leak.compare(ROOT, copy)
    outputs.write_json(FOLDER / "leak.json", about | comparison)
    print(
        f"study: leak: {comparison['leak']:+.4f} of test top-1 from writers who are in both parts"
    )


def _source(about: dict) -> str:
    """What a figure is of, in a line."""
    kind = "synthetic writers" if about["synthetic"] else "real writers"
    return f"{about['model']}, {kind} ({about['corpora']}, fingerprint {about['fingerprint']})"


STUDIES = {"robustness": measure_robustness, "map": draw_map, "leak": measure_leak}


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("what", nargs="*", metavar="STUDY", help=f"{', '.join(STUDIES)}; or all")
    wanted = parser.parse_args().what
    unknown = [name for name in wanted if name not in STUDIES]
    if unknown:
        parser.error(f"expected some of {', '.join(STUDIES)}, found {unknown[0]}")
    started = time.perf_counter()
    with stage.by_hand("study"):
        settings = params.load()
        about = provenance.of_run(ROOT, settings)
        for name in wanted or STUDIES:
            STUDIES[name](settings, about)
    print(f"study: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
