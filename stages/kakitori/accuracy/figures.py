"""Pictures of results. Every figure has its numbers beside it as CSV, for dvc plots."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib_fontja  # noqa: F401 (sets a font that has kanji)

from kakitori.accuracy.lettering import lettered

# One hue per quantity, distinguishable without colour vision.
INK, MUTED = "#1f3a5f", "#8a8a8a"
plt.rcParams.update(
    {
        "figure.dpi": 120,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
        "savefig.bbox": "tight",
    }
)


def _save(path: Path) -> None:
    # Without the creation date and version the same figure is the same file.
    plt.savefig(path, format="png", metadata={"Software": None})
    plt.close()


def learning_curve(path: Path, curve: pd.DataFrame) -> None:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    left.plot(curve["epoch"], curve["train_loss"], color=MUTED, label="training (distorted)")
    left.plot(curve["epoch"], curve["val_loss"], color=INK, label="validation")
    left.set(xlabel="epoch", ylabel="loss")
    right.plot(curve["epoch"], 100 * curve["train_top1"], color=MUTED, label="training (distorted)")
    right.plot(curve["epoch"], 100 * curve["val_top1"], color=INK, label="validation")
    right.set(xlabel="epoch", ylabel="top-1, %")
    for axes in (left, right):
        axes.legend(frameon=False)
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.tight_layout()
    _save(path)


def accuracy_by_strokes(path: Path, table: pd.DataFrame) -> None:
    """table: strokes, samples, error_rate."""
    plt.figure(figsize=(6, 3.4))
    plt.bar(table["strokes"], 100 * table["error_rate"], color=INK)
    plt.xlabel("strokes")
    plt.ylabel("errors, %")
    _save(path)


def accuracy_by_cost(path: Path, table: pd.DataFrame, part: str) -> None:
    """Accuracy against bytes and against latency.

    table : name, bytes, latency_ms, top1 on `part` of the data.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
    for axes, values, label in (
        (left, table["bytes"] / 1e6, "file, MB"),
        (right, table["latency_ms"], "one image on one thread, ms"),
    ):
        axes.scatter(values, 100 * table["top1"], color=INK)
        for x, row in zip(values, table.itertuples(index=False), strict=True):
            axes.annotate(
                row.name,
                (x, 100 * row.top1),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set(xlabel=label, xlim=(0, None))
    left.set(ylabel=f"{part} top-1, %")
    figure.tight_layout()
    _save(path)


def reliability(path: Path, table: pd.DataFrame, ece: float) -> None:
    """table: confidence, accuracy, samples per bin."""
    plt.figure(figsize=(4, 4))
    plt.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
    plt.scatter(
        table["confidence"],
        table["accuracy"],
        s=8 + 120 * np.sqrt(table["samples"] / table["samples"].max()),
        color=INK,
        alpha=0.8,
    )
    plt.xlabel("confidence")
    plt.ylabel("accuracy")
    plt.title(f"ECE {ece:.4f}")
    plt.axis("square")
    plt.xlim(0, 1.02)
    plt.ylim(0, 1.02)
    _save(path)


def risk_coverage(path: Path, curve: pd.DataFrame) -> None:
    """curve: coverage and risk."""
    plt.figure(figsize=(5, 3.4))
    plt.plot(100 * curve["coverage"], 100 * curve["risk"], color=INK)
    plt.xlabel("answered, surest first, %")
    plt.ylabel("errors among them, %")
    _save(path)


def misread(path: Path, table: pd.DataFrame, pictures: Sequence[np.ndarray]) -> None:
    """What is misread: a sample, what it is and what it was taken for, differing strokes in red.

    table: truth, answer, errors, radicals_of_truth, radicals_of_answer; pictures: uint8 (S, 3 S, 3)
    per row.
    """
    titles = []
    for row in table.itertuples():
        radicals = (f"+{row.radicals_of_truth}", f"−{row.radicals_of_answer}")
        difference = " ".join(r for r in radicals if len(r) > 1)
        titles.append(f"{row.truth} → {row.answer} {row.errors}×\n{difference}")
    _sheet(path, titles, pictures, wide=3)


def audited(path: Path, table: pd.DataFrame, images: np.ndarray) -> None:
    """Samples whose label a network contradicts.

    table: label, answer, confidence; images: uint8 (len(table), S, S), ink bright.
    """
    titled = (f"{r.label}? {r.answer}  {r.confidence:.0%}" for r in table.itertuples())
    _sheet(path, list(titled), images)


def _sheet(path: Path, titles: list[str], images: Sequence[np.ndarray], wide: int = 1) -> None:
    """Pictures, uint8 (S, S), 255 = ink, or colours (S, wide · S, 3), each below its title."""
    columns = 6 if wide == 1 else 4
    rows = max(-(-len(titles) // columns), 1)
    width, height = (1.35, 1.7) if wide == 1 else (2.4, 1.3)
    size = columns * width, rows * height
    _, axes = plt.subplots(
        rows, columns, figsize=size, squeeze=False, gridspec_kw={"hspace": 0.5, "wspace": 0.08}
    )
    for place in axes.flat:
        place.axis("off")
    for place, title, image in zip(axes.flat, titles, images, strict=False):
        place.imshow(255 - image if image.ndim == 2 else image, cmap="gray", vmin=0, vmax=255)
        place.set_title(lettered(title), fontsize=10 if wide == 1 else 8)
    _save(path)
