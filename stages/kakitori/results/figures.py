"""Pictures of results. Every figure has its numbers beside it as CSV, for dvc plots."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib_fontja  # noqa: F401 (sets a font that has kanji)

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


def confused_pairs(path: Path, pairs: pd.DataFrame, images: np.ndarray) -> None:
    """The most confused pairs with one misread image each.

    pairs: truth, answer, errors; images: uint8 (len(pairs), S, S), ink bright.
    """
    titled = (f"{p.truth} → {p.answer}  {p.errors}×" for p in pairs.itertuples())
    _sheet(path, list(titled), images)


def audited(path: Path, table: pd.DataFrame, images: np.ndarray) -> None:
    """Samples whose label a network contradicts.

    table: label, answer, confidence; images: uint8 (len(table), S, S), ink bright.
    """
    titled = (f"{r.label}? {r.answer}  {r.confidence:.0%}" for r in table.itertuples())
    _sheet(path, list(titled), images)


def _sheet(path: Path, titles: list[str], images: np.ndarray) -> None:
    columns = 6
    rows = max(-(-len(titles) // columns), 1)
    figure, axes = plt.subplots(rows, columns, figsize=(columns * 1.35, rows * 1.7), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, title, image in zip(axes.flat, titles, images, strict=False):
        place.imshow(255 - image, cmap="gray", vmin=0, vmax=255)
        place.set_title(title, fontsize=10)
    figure.tight_layout()
    _save(path)
