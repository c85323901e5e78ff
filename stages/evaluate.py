"""The trained network and its exports on writers never seen.

    python stages/evaluate.py

Reads the model, models/exports/ and the test part; writes metrics/evaluate.json (gated),
metrics/by_writer.csv, data/contradicted.parquet and metrics/plots/evaluate/: slices, classes,
confusions, risk against coverage, and pictures of what is misread most and of what would have told
it apart.
"""

from kakitori.running import threads  # noqa: F401, before torch

# isort: split
import torch

from kakitori import outputs
from kakitori.accuracy import scoring
from kakitori.errors import DataError
from kakitori.evaluation import evaluation, misread
from kakitori.learning import saved
from kakitori.learning.samples import data, table
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings

PARTS = ("test", "hard", "external", "zero_shot")


def main(settings: Settings) -> None:
    described = saved.describe(ROOT / "models")
    model, classes = described.network(), described.classes
    model.to(memory_format=torch.channels_last)  # as it was trained: it reads twice as fast
    index = data.placed_index(ROOT)
    parts = {name: data.load_part(ROOT, index, name, classes) for name in PARTS}
    test = parts["test"]
    if not len(test.labels):
        raise DataError("expected a test part, found no sample; set split.test_groups: 1 or more")
    needed = {*classes, *map(chr, index.loc[index["part"] != "none", "codepoint"].unique())}
    characters = table.read(ROOT / "data/characters.parquet", needed).set_index("codepoint")
    readers = evaluation.Readers(model, described.precision, ROOT / "models/exports")
    images = test.images[:, 0].numpy()
    names = ("torch", *readers.exports)
    predictions = readers.predict(images, test.labels.numpy(), names)
    corpora = sorted(test.rows["corpus"].unique())
    metrics = {
        "model": settings.model,
        "dataset": {"corpora": ", ".join(corpora), "fingerprint": data.fingerprint(ROOT)},
        "glyphs": table.glyph_sources(characters),
        "synthetic": all(name.startswith("synthetic/") for name in corpora),
        "scheme": settings.split.scheme,
        **evaluation.figures_of(
            readers, predictions, parts, characters, ROOT / "data/shards/feedback.h5"
        ),
    }
    outputs.write_csv(ROOT / "metrics/by_writer.csv", evaluation.by_writer(test.rows, predictions))
    with outputs.whole_folder(ROOT / "metrics/plots/evaluate") as folder:
        worst = settings.evaluate.worst
        misread.write_plots(folder, predictions, test.rows, images, classes, characters, worst)
    contradicted = scoring.contradicted(predictions["int8"], test.rows, classes)
    outputs.write_parquet(ROOT / "data/contradicted.parquet", contradicted)
    outputs.write_json(ROOT / "metrics/evaluate.json", metrics)
    for name in names:
        top1 = metrics[name]["top1"]
        print(f"evaluate: {name}: top-1 {top1:.4f} on {len(test.labels):,} samples")


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)
