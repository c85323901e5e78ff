"""How right, and how sure: the one place where predictions become figures."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

CHUNK = 4096  # samples whose logits are held at once
BINS = 15  # equal-width, of the expected calibration error


@dataclasses.dataclass(frozen=True)
class Predictions:
    """What a model said of N samples.

    labels, answers : int64 (N,) class indices.
    ranks : int64 (N,), how many classes were put before the right one.
    confidences : float64 (N,), probability of the answer.
    log_likelihoods : float64 (N,), log probability of the right class, nats.
    """

    labels: np.ndarray
    answers: np.ndarray
    ranks: np.ndarray
    confidences: np.ndarray
    log_likelihoods: np.ndarray

    @property
    def right(self) -> np.ndarray:
        return self.answers == self.labels


def predict(
    logits_of: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    labels: np.ndarray,
    temperature: float,
) -> Predictions:
    """Predictions of images (N, …), N ≥ 1, a few thousand at a time: N × 3,036 logits at once
    would not fit in memory for a whole ETL9G."""
    parts = []
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        # In float32: NumPy's float64 exponential is ten times slower.
        logp = log_softmax(logits_of(images[chunk]) / np.float32(temperature), axis=1)
        of_label = logp[np.arange(len(logp)), labels[chunk]]
        answers = logp.argmax(1)
        # Counting the better ones ranks without sorting 3,036 columns.
        ranks = (logp > of_label[:, None]).sum(1)
        confidences = np.exp(logp.max(1).astype(np.float64))
        parts.append((answers, ranks, confidences, of_label.astype(np.float64)))
    return Predictions(labels, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def score(predictions: Predictions) -> dict[str, float]:
    """Figures of a set of predictions: `top1`, `top5`, `error_rate` (fractions), `nll` (nats),
    `ece` (over 15 equal-width bins of the top probability; Guo et al. 2017)."""
    right = predictions.right
    bins = reliability(predictions.confidences, right)
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    return {
        "top1": float(right.mean()),
        "top5": float((predictions.ranks < 5).mean()),
        "error_rate": float(1 - right.mean()),
        "nll": float(-predictions.log_likelihoods.mean()),
        "ece": float((gaps * bins["samples"]).sum() / len(right)),
    }


def reliability(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """Mean `confidence` and `accuracy` and the number of `samples` of each bin that has any."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    table = pd.DataFrame({"bin": place, "confidence": confidence, "accuracy": right.astype(float)})
    grouped = table.groupby("bin")
    result = grouped.mean()
    result["samples"] = grouped.size()
    return result.reset_index(drop=True)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the cross-entropy (Guo et al. 2017), within 0.05–20.

    Takes every n-th sample where there are more than enough of them.
    """
    every = max(len(labels) // CHUNK, 1)
    logits, labels = logits[::every], labels[::every]

    def nll(log_temperature: float) -> float:
        logp = log_softmax(logits / np.float32(np.exp(log_temperature)), axis=1)
        return -logp[np.arange(len(labels)), labels].mean()

    found = minimize_scalar(
        nll, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-3}
    )
    return round(float(np.exp(found.x)), 4)


def sliced_top1(right: np.ndarray, by: pd.Series) -> dict[str, dict]:
    """`samples` and `top1` for each value of `by`, in its order."""
    table = pd.DataFrame({"by": by.to_numpy(), "right": right})
    return {
        str(value): {"samples": len(group), "top1": float(group["right"].mean())}
        for value, group in table.groupby("by")
    }


def confused_pairs(answers: np.ndarray, labels: np.ndarray, count: int) -> pd.DataFrame:
    """The most frequent confusions: class indices `truth` and `answer`, `errors`, and `example`,
    the position of the first sample that was so misread."""
    wrong = np.flatnonzero(answers != labels)
    table = pd.DataFrame({"truth": labels[wrong], "answer": answers[wrong], "example": wrong})
    pairs = table.groupby(["truth", "answer"])["example"].agg(["size", "first"]).reset_index()
    pairs = pairs.rename(columns={"size": "errors", "first": "example"})
    order = ["errors", "truth", "answer"]
    return pairs.sort_values(order, ascending=[False, True, True]).head(count)


def contradicted(predictions: Predictions, rows: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """Samples that are not read as their label says: where they are in the index, `label`,
    `answer`, `confidence` of the answer, `label_probability` and the `margin` between them."""
    wrong = np.flatnonzero(~predictions.right)
    table = rows.iloc[wrong][["sample", "corpus", "shard", "row", "writer_group", "sheet", "part"]]
    return table.assign(
        label=[classes[k] for k in predictions.labels[wrong]],
        answer=[classes[k] for k in predictions.answers[wrong]],
        confidence=predictions.confidences[wrong],
        label_probability=np.exp(predictions.log_likelihoods[wrong]),
        margin=predictions.confidences[wrong] - np.exp(predictions.log_likelihoods[wrong]),
    )
