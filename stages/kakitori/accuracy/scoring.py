"""How right, and how sure: the one place where predictions become figures."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import bootstrap
from torch.nn import functional as F

from kakitori.reading.model_file import NO_BACKGROUND

CHUNK = 4096  # samples whose logits are held at once
BINS = 15  # equal-width, of the expected calibration error
RESAMPLES = 5000  # of writer groups, for intervals
PRECISION = 0.995  # that a confidence threshold is to give
LEAST = 0.85  # confidence, however few validation writers are misread
GIVEN_UP = 0.01  # of the samples that are answered, at most, so that strangers are not
STRANGERS = 0.02  # of these, as many may be answered where that costs less


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
    background: float = NO_BACKGROUND,
) -> Predictions:
    """Predictions of images (N, …), N ≥ 1, a few thousand at a time: N × 3,036 logits at once
    would not fit in memory for a whole ETL9G. `background` as Recognizer.probabilities takes it."""
    parts = []
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        logits = torch.from_numpy(logits_of(images[chunk]))
        # On all cores, unlike SciPy's.
        scaled = logits / temperature
        known = F.logsigmoid(scaled.logsumexp(1) - background).numpy().astype(np.float64)
        logp = scaled.log_softmax(1).numpy()
        of_label = logp[np.arange(len(logp)), labels[chunk]]
        answers = logp.argmax(1)
        # Counting the better ones ranks without sorting 3,036 columns.
        ranks = (logp > of_label[:, None]).sum(1)
        confidences = np.exp(logp.max(1) + known)
        parts.append((answers, ranks, confidences, of_label + known))
    return Predictions(labels, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def score(predictions: Predictions, alike: np.ndarray | None = None) -> dict[str, float]:
    """Figures of a set of predictions: `top1`, `top5`, `error_rate` (fractions), `nll` (nats),
    `ece` (over 15 equal-width bins of the top probability; Guo et al. 2017); and `top1_alike`, by
    which any character counts that looks like the right one, where `alike` (C,) numbers the classes
    so that look-alikes have the same number."""
    right = predictions.right
    bins = reliability(predictions.confidences, right)
    gaps = (bins["accuracy"] - bins["confidence"]).abs()
    figures = {}
    if alike is not None:
        same = alike[predictions.answers] == alike[predictions.labels]
        figures["top1_alike"] = float(same.mean())
    return figures | {
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


def interval(right: np.ndarray, groups: np.ndarray) -> dict[str, float]:
    """The 95 % interval of top-1, `top1_low` and `top1_high`: percentiles over resampled writer
    groups (Efron 1979, the cluster bootstrap of Davison and Hinkley 1997, section 3.8), since the
    samples of one hand are right or wrong together. Of one group alone nothing can be said: empty.

    right : bool (N,). groups : (N,), each sample's writer group.
    """
    table = pd.DataFrame({"right": right, "group": groups}).groupby("group")["right"]
    rights, counts = table.sum().to_numpy(), table.size().to_numpy()
    if len(counts) < 2:
        return {}
    bounds = bootstrap(
        (rights, counts),
        lambda r, n, axis: r.sum(axis) / n.sum(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return {"top1_low": float(bounds.low), "top1_high": float(bounds.high)}


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """The selective risk of answering the surest samples alone (Geifman and El-Yaniv 2017): for
    each `threshold` of the confidence, highest first, the share of samples that are answered,
    `coverage`, and of those the share that is wrong, `risk`."""
    order = np.argsort(-confidence, kind="stable")
    sure, wrong = confidence[order], ~right[order]
    count = np.arange(1, len(sure) + 1)
    # Samples of one confidence are answered together.
    last = np.append(sure[1:] != sure[:-1], True)
    return pd.DataFrame(
        {
            "threshold": sure[last],
            "coverage": (count / len(sure))[last],
            "risk": (wrong.cumsum() / count)[last],
        }
    )


def threshold(
    confidence: np.ndarray, right: np.ndarray, precision: float = PRECISION, least: float = LEAST
) -> float:
    """The lowest confidence, not below `least`, from which on answers are right with at least this
    precision; 1 where no confidence is enough.

    Of easy writers next to all answers are right. A threshold that lets all of them pass would be
    passed by what is no character, until a background as high as that takes everybody's confidence.
    """
    curve = risk_coverage(confidence, right)
    enough = curve["risk"] <= 1 - precision
    return max(float(curve.loc[enough, "threshold"].min()), least) if enough.any() else 1.0


def confidence(
    logits: np.ndarray, labels: np.ndarray, temperature: float, background: float = NO_BACKGROUND
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each answer, float64 (N,), and whether it is right, bool (N,)."""
    rows = np.arange(len(labels))
    predictions = predict(lambda some: logits[some], rows, labels, temperature, background)
    return predictions.confidences, predictions.right


def background(
    logits: np.ndarray, strange: np.ndarray, temperature: float, threshold: float
) -> float:
    """The logit of "none of these", as Recognizer.probabilities takes it: the lowest beside which
    at most STRANGERS of the strangers reach the threshold; but no higher than leaves all but
    GIVEN_UP of the samples where they were.

    What the classes have together, the log of the sum of their exponentials, is high for what the
    network knows and low for strangers (Liu et al. 2020). NO_BACKGROUND where nothing reaches the
    threshold.

    logits : of samples, float32 (N, C). strange : of strangers, float32 (M, C).
    """
    known, strangers = (_highest(some, temperature, threshold) for some in (logits, strange))
    if not len(known):
        return NO_BACKGROUND
    most = known[min(int(GIVEN_UP * len(logits)), len(known) - 1)]
    answered = int(STRANGERS * len(strange))
    if answered >= len(strangers):
        return NO_BACKGROUND
    return float(min(most, np.nextafter(strangers[-1 - answered], np.inf)))


def _highest(logits: np.ndarray, temperature: float, threshold: float) -> np.ndarray:
    """Of each that reaches the threshold the highest background beside which it does, sorted."""
    scaled = torch.from_numpy(logits / np.float32(temperature))
    together = scaled.logsumexp(1).double().numpy()
    confidence = np.exp(scaled.amax(1).double().numpy() - together)
    sure = (confidence >= threshold) & (confidence > 0)
    share = threshold / confidence[sure]  # of the probability that has to remain
    return np.sort(together[sure] - np.log(share / np.maximum(1 - share, np.finfo(float).tiny)))


def accepted(predictions: Predictions, threshold: float) -> dict[str, float]:
    """What a threshold leaves: `threshold`, `coverage`, and `precision` where anything is left."""
    kept = predictions.confidences >= threshold
    figures = {"threshold": threshold, "coverage": float(kept.mean())}
    return figures | ({"precision": float(predictions.right[kept].mean())} if kept.any() else {})


def confusion(answers: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """The confusion matrix without its zeros: class indices `truth` and `answer`, `samples`."""
    pairs = pd.DataFrame({"truth": labels, "answer": answers})
    return pairs.groupby(["truth", "answer"]).size().rename("samples").reset_index()


def by_class(answers: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Per class, worst first: index `truth`, `samples`, `errors`, `top1`; `answer`, what it is
    misread as most, -1 for nothing; `example`, the position of its first sample that was so
    misread, -1 likewise."""
    right = pd.Series(answers == labels).groupby(labels)
    table = pd.DataFrame({"samples": right.size(), "top1": right.mean()})
    table.insert(1, "errors", table["samples"] - right.sum())
    first = confused_pairs(answers, labels, len(labels)).drop_duplicates("truth")
    first = first.set_index("truth")[["answer", "example"]]
    table = table.join(first).fillna({"answer": -1, "example": -1})
    table = table.astype({"answer": np.int64, "example": np.int64})
    table = table.rename_axis("truth").reset_index()
    return table.sort_values(["top1", "errors", "truth"], ascending=[True, False, True])


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature that minimises the cross-entropy (Guo et al. 2017), within 0.05–20.

    Takes every n-th sample where there are more than enough of them.
    """
    every = max(len(labels) // CHUNK, 1)
    z = torch.from_numpy(np.ascontiguousarray(logits[::every]))  # on all cores, unlike SciPy's
    right = z.gather(1, torch.from_numpy(labels[::every])[:, None])[:, 0]

    def nll(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        return float(((z / temperature).logsumexp(1) - right / temperature).mean())

    minimum = minimize_scalar(
        nll, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-3}
    )
    return round(float(np.exp(minimum.x)), 4)


class Sureness(NamedTuple):
    """What a Recognizer needs to say how sure it is: see `fit_temperature`, `threshold` and
    `background`; and the share of strangers that reach the threshold all the same."""

    temperature: float
    threshold: float
    background: float
    strangers_sure: float


def fit_sureness(
    logits: np.ndarray, labels: np.ndarray, strange: np.ndarray
) -> tuple[Sureness, np.ndarray]:
    """Fitted to the logits of samples, float32 (N, C), with their labels, int64 (N,), and to those
    of strangers, float32 (M, C); and the samples' confidences, float (N,), without background."""
    temperature = fit_temperature(logits, labels)
    confidences, right = confidence(logits, labels, temperature)
    least = threshold(confidences, right)
    none = background(logits, strange, temperature, least)
    nothing = np.zeros(len(strange), np.int64)  # no answer is right
    answers, _ = confidence(strange, nothing, temperature, none)
    return Sureness(temperature, least, none, float((answers >= least).mean())), confidences


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
