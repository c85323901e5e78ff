"""Accuracy against what it costs, over all experiments of the leaderboard.

Apart from figures.py, which stages of the pipeline depend on.
"""

from pathlib import Path

import pandas as pd
from matplotlib.ticker import LogLocator, NullFormatter

from kakitori.accuracy.figures import INK, MUTED, plt

COSTS = {"bytes": "file, MB", "latency_ms": "one image on one thread, ms"}


def draw(path: Path, table: pd.DataFrame) -> None:
    """Test errors of each row of the leaderboard's newest dataset against bytes, latency and the
    energy of its training; a line leads from float32 (hollow) to INT8."""
    newest = table[table["dataset"] == table["dataset"].iloc[0]]
    newest = newest[(newest[["test_top1", "int8_top1"]] < 1).all(1)]  # no logarithm of no errors
    figure, (*costs, energy) = plt.subplots(1, 3, figsize=(14, 5), sharey=True)
    for axes, (cost, label) in zip(costs, COSTS.items(), strict=True):
        unit = 1e6 if cost == "bytes" else 1
        for row in newest.itertuples():
            x = [getattr(row, f"{kind}_{cost}") / unit for kind in ("fp32", "int8")]
            y = [100 * (1 - row.test_top1), 100 * (1 - row.int8_top1)]
            axes.plot(x, y, color=MUTED, linewidth=0.8, zorder=1)
            axes.scatter(x[0], y[0], facecolors="white", edgecolors=INK, s=22)
            axes.scatter(x[1], y[1], color=INK, s=22)
            _name(axes, row.model, x[1], y[1])
        axes.set(xlabel=label)
    for row in newest.itertuples():
        x, y = 1000 * row.train_kwh, 100 * (1 - row.test_top1)
        energy.scatter(x, y, facecolors="white", edgecolors=INK, s=22)
        _name(energy, row.model, x, y)
    energy.set(xlabel="training, Wh")
    for axes in (*costs, energy):
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    costs[0].set(ylabel="errors on test, %")
    costs[0].invert_yaxis()
    figure.tight_layout()
    # Without the creation date and version the same picture is the same file.
    figure.savefig(path, format="png", metadata={"Software": None})
    plt.close(figure)


def _name(axes: "plt.Axes", name: str, x: float, y: float) -> None:
    axes.annotate(name, (x, y), (4, 3), textcoords="offset points", fontsize=7, color=INK)
