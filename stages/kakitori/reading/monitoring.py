"""Whether what comes in still looks like what a model was chosen on: population stability.

Needs NumPy alone.
"""

import json

import numpy as np

BINS = 10  # of equal share in the reference
FLOOR = 1e-4  # of a bin's share: an empty one would be infinitely far
LIMITS = {"stable": 0.1, "watch": 0.25}  # of the index; above the last it has drifted

NOTHING = np.zeros((1, 1, 1), np.uint8)  # an image without ink


def signals(images: np.ndarray, confidences: np.ndarray) -> dict[str, np.ndarray]:
    """What is watched of each sample, float64 (N,): the model's `confidence`; `ink`, the share of
    the image that is ink; `stroke_width`, ink over half its edge, in pixels.

    images : normalised, uint8 (N, S, S), 255 = ink. confidences : (N,).
    """
    ink = images.astype(np.float64) / 255
    edge = np.abs(np.diff(ink, axis=1)).sum((1, 2)) + np.abs(np.diff(ink, axis=2)).sum((1, 2))
    area = ink.sum((1, 2))
    return {
        "confidence": np.asarray(confidences, np.float64),
        "ink": area / ink[0].size,
        "stroke_width": 2 * area / np.maximum(edge, 1),
    }


def reference(measurements: dict[str, np.ndarray]) -> str:
    """The deciles of each signal, as JSON for a file's metadata."""
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    deciles = {
        name: np.quantile(values, inner).round(6).tolist() for name, values in measurements.items()
    }
    return json.dumps(deciles, separators=(",", ":"))


def is_reference(deciles: str) -> bool:
    """Whether a text is what `reference` gives: of each signal finite numbers that never fall."""
    try:
        content = json.loads(deciles)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict) or content.keys() != signals(NOTHING, np.zeros(1)).keys():
        return False
    return all(
        isinstance(edges, list)
        and len(edges) == BINS - 1
        and all(type(edge) in (int, float) and abs(edge) < np.inf for edge in edges)
        and edges == sorted(edges)
        for edges in content.values()
    )


def stability(measurements: dict[str, np.ndarray], deciles: str) -> dict[str, dict]:
    """For each signal its `mean`, the population stability `index` against the reference's deciles
    (Siddiqi 2006: the sum over bins of (p − q) ln (p / q)), and what that says, `verdict`: stable,
    watch or drifted. Few samples scatter: with N of them an index of about 9 / N is chance alone,
    which `chance` says."""
    result = {}
    for name, edges in json.loads(deciles).items():
        values = measurements[name]
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=BINS)
        share = np.maximum(counts / len(values), FLOOR)
        index = float(((share - 1 / BINS) * np.log(share * BINS)).sum())
        chance = (BINS - 1) / len(values)
        excess = index - chance
        verdict = next((word for word, limit in LIMITS.items() if excess < limit), "drifted")
        result[name] = {
            "mean": float(values.mean()),
            "index": index,
            "chance": chance,
            "verdict": verdict,
        }
    return result
