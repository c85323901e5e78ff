"""What the rows of bench.py share, made when it is first asked for, in a folder that goes."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.benchmarks import limits

if TYPE_CHECKING:
    import pandas as pd

    from kakitori.corpora.records.database import SETS
from kakitori.learning.training import Trainer

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
WRITERS = 40  # of the data that is made here


class Bench:
    """Data, networks and limits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, object] = {}

    def once(self, name: str, make: Callable[[], object]) -> object:
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @property
    def bandwidth(self) -> float:
        return self.once("bandwidth", limits.bandwidth)

    def peak(self, precision: str, threads: int = 0) -> float:
        name = f"{precision} {threads}"
        return self.once(name, lambda: limits.multiply_adds(precision, threads))

    @property
    def characters(self) -> "pd.DataFrame":
        """data/characters.parquet's columns that synthesis reads, traced from the bundled font."""

        def make() -> "pd.DataFrame":
            import pandas as pd

            from kakitori.reading.characters import charset
            from kakitori.writing import glyphs

            names = list(charset.etl9_characters())
            forms = glyphs.forms_of("font", names, Path(), 0)
            plain = [
                {
                    "source": "font",
                    "strokes": [s.ravel().tolist() for s in forms[c][0].strokes],
                    "stroke_types": forms[c][0].types,
                    "components": forms[c][0].components,
                    "widths": [],
                }
                for c in names
            ]
            return pd.DataFrame({"character": names, "forms": [[form] for form in plain]})

        return self.once("characters", make)

    def synthetic(self, writers: int) -> Path:
        """A folder with so many writers' ETL9G."""

        def make() -> Path:
            folder = Path(tempfile.mkdtemp(dir=self.folder))
            self.synthesize(folder, writers)
            return folder

        return self.once(f"synthetic {writers}", make)

    def synthesize(self, folder: Path, writers: int) -> float:
        from kakitori.running.params import Synthesize
        from kakitori.synthesis import synthesis

        settings = Synthesize(
            glyphs="font",
            preset="varied",
            sets=["ETL9G"],
            writers=writers,
            hard_writers=0,
            partial_writers=0,
            classes=len(self.characters),
            max_missing=0,
            workers=0,
        )
        (folder / "synthetic").mkdir(parents=True)
        return synthesis.write_corpora(
            synthesis.Copybooks(self.characters), folder / "synthetic", settings, 0
        )

    def sources(self, writers: int) -> list:
        from kakitori.corpora import catalog

        return catalog.sources(self.synthetic(writers), "synthetic/ETL9G")

    def etl9g(self) -> list:
        """As many files as ETL9G has: those of forty writers, five times under other names."""
        from kakitori.corpora import catalog

        def make() -> list:
            made = [s.entry.root / s.entry.name for s in self.sources(WRITERS)]
            root = Path(tempfile.mkdtemp(dir=self.folder))
            (root / "synthetic/ETL9G").mkdir(parents=True)
            for k, name in enumerate(SETS["ETL9G"].files):
                (root / "synthetic/ETL9G" / name).symlink_to(made[k % len(made)])
            return catalog.sources(root, "synthetic/ETL9G")

        return self.once("etl9g", make)

    @property
    def index(self) -> "pd.DataFrame":
        """Of the shards of all writers, which are in the folder `shards`."""

        def make() -> "pd.DataFrame":
            from kakitori.corpora import extraction

            folder = self.folder / "shards"
            folder.mkdir()
            return extraction.write_shards(self.sources(WRITERS), folder, 64)[0]

        return self.once("index", make)

    def images(self, share: float = 1.0) -> tuple[np.ndarray, np.ndarray, "pd.DataFrame"]:
        """The first writers' images uint8 (N, 64, 64), labels int64 (N,) and rows of the index."""
        from kakitori.learning.samples import shards

        index = self.index
        rows = index.iloc[: round(share * len(index))]
        images = self.once(
            f"images {share}", lambda: shards.load_images(self.folder / "shards", rows)
        )
        return images, np.unique(index["codepoint"], return_inverse=True)[1][: len(rows)], rows

    def trainer(self, share: float = 0.1) -> "Trainer":
        """The default network and its training, on a share of the data; nothing to validate."""
        import pandas as pd
        import torch

        from kakitori.learning import contract, training
        from kakitori.learning.samples.data import Part
        from kakitori.running import params

        settings = params.load()
        images, labels, rows = self.images(share)
        every = torch.ones(len(labels), dtype=torch.float64)
        part = Part(torch.from_numpy(images)[:, None], torch.from_numpy(labels), rows, every)
        few = Part(part.images[:2], part.labels[:2], rows[:2], every[:2])
        torch.manual_seed(0)
        model = contract.network(settings, list(self.characters["character"]), pd.DataFrame())
        options = settings.training()
        trainer = training.Trainer(model, {"train": part, "val": few}, options, 0)
        model.train()
        return trainer

    def exports(self) -> dict[str, Path]:
        """fp32.onnx and int8.onnx of the default network, whatever its weights."""

        def make() -> dict[str, Path]:
            import pandas as pd
            import torch

            from kakitori.export import export, int8
            from kakitori.learning import contract
            from kakitori.running import params

            settings = params.load()
            torch.manual_seed(0)
            names = list(self.characters["character"])
            model = contract.network(settings, names, pd.DataFrame()).eval()
            paths = {name: self.folder / f"{name}.onnx" for name in ("fp32", "int8")}
            export.to_onnx(model, 64, settings.quantize.opset, paths["fp32"])
            samples = np.random.default_rng(0).integers(0, 256, (128, 64, 64), dtype=np.uint8)
            int8.to_int8(paths["fp32"], lambda: export.batches(samples), paths["int8"])
            return paths

        return self.once("exports", make)

    def multiply_adds(self) -> int:
        """Of the default network, for one image."""

        def make() -> int:
            from kakitori.learning import complexity

            return complexity.measure(self.trainer(0.025).model, 64)["multiply_adds"]

        return self.once("multiply_adds", make)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
