import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score

from kakitori.accuracy import scoring


def predictions(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0):
    return scoring.predict(lambda rows: logits[rows], np.arange(len(labels)), labels, temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_figures_agree_with_scikit_learn(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (9000, 20)).astype(np.float32)  # more than one chunk
    labels = rng.integers(0, 20, 9000)
    scores = scoring.score(predictions(logits, labels, temperature))
    probabilities = np.exp(logits.astype(float) / temperature)
    probabilities /= probabilities.sum(1, keepdims=True)
    classes = np.arange(20)
    assert scores["top1"] == pytest.approx(
        top_k_accuracy_score(labels, logits, k=1, labels=classes)
    )
    assert scores["top5"] == pytest.approx(
        top_k_accuracy_score(labels, logits, k=5, labels=classes)
    )
    assert scores["nll"] == pytest.approx(log_loss(labels, probabilities, labels=classes))
    assert scores["error_rate"] == pytest.approx(1 - scores["top1"])


def test_calibration_error_by_hand():
    """Two bins: confidence 0.9 with 3 of 4 right, confidence 0.6 with 1 of 2 right."""
    sure, unsure = np.log([0.9, 0.1]), np.log([0.6, 0.4])
    logits = np.array([sure] * 4 + [unsure] * 2)
    labels = np.array([0, 0, 0, 1, 0, 1])
    expected = 4 / 6 * abs(0.75 - 0.9) + 2 / 6 * abs(0.5 - 0.6)
    assert scoring.score(predictions(logits, labels))["ece"] == pytest.approx(expected)


def test_the_fitted_temperature_undoes_a_scaling():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (20000, 10))
    probabilities = np.exp(true) / np.exp(true).sum(1, keepdims=True)
    labels = (probabilities.cumsum(1) > rng.random((20000, 1))).argmax(1)
    assert scoring.fit_temperature(4 * true, labels) == pytest.approx(4, rel=0.05)


def test_confused_pairs_are_ordered_by_frequency():
    labels = np.array([1, 1, 1, 2, 2, 3])
    answers = np.array([1, 0, 0, 0, 2, 1])
    pairs = scoring.confused_pairs(answers, labels, 2)
    assert pairs[["truth", "answer", "errors", "example"]].to_numpy().tolist() == [
        [1, 0, 2, 1],
        [2, 0, 1, 3],
    ]


def test_the_interval_is_that_of_resampled_writers():
    """Twenty groups of ten samples, each all right or all wrong: as wide as that of twenty coins,
    and not of two hundred."""
    groups = np.repeat(np.arange(20), 10)
    right = np.repeat(np.arange(20) < 15, 10)
    interval = scoring.interval(right, groups)
    low, high = binom(20, 0.75).ppf([0.025, 0.975]) / 20
    assert interval["top1_low"] == pytest.approx(low, abs=0.051)
    assert interval["top1_high"] == pytest.approx(high, abs=0.051)
    assert scoring.interval(right, groups) == interval, "the same numbers give the same interval"


def test_of_one_writer_no_interval_is_claimed():
    assert scoring.interval(np.array([True, False]), np.array(["a", "a"])) == {}


def test_risk_and_coverage_by_hand():
    confidence = np.array([0.9, 0.8, 0.8, 0.5])
    right = np.array([True, False, True, False])
    curve = scoring.risk_coverage(confidence, right)
    assert curve["threshold"].tolist() == [0.9, 0.8, 0.5]
    assert curve["coverage"].tolist() == [0.25, 0.75, 1.0]
    assert curve["risk"].tolist() == pytest.approx([0, 1 / 3, 1 / 2])
    assert scoring.threshold(confidence, right, 0.6, least=0.0) == 0.8
    assert scoring.threshold(confidence, right, 0.6, least=0.85) == 0.85
    assert scoring.threshold(confidence, right, 1.0) == 0.9
    assert scoring.threshold(confidence, ~right, 1.0) == 1.0, "nothing is sure enough"


def test_what_a_threshold_leaves():
    answers = predictions(np.log([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), np.array([0, 1, 1]))
    assert scoring.accepted(answers, 0.65) == {
        "threshold": 0.65,
        "coverage": pytest.approx(2 / 3),
        "precision": 1.0,
    }
    assert scoring.accepted(answers, 1.0) == {"threshold": 1.0, "coverage": 0.0}


def test_the_confusion_matrix_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, answers = rng.integers(0, 30, (2, 200))
    table = scoring.confusion(answers, labels)
    dense = np.zeros((30, 30), int)
    dense[table["truth"], table["answer"]] = table["samples"]
    assert (dense == confusion_matrix(labels, answers, labels=range(30))).all()
    assert (table["samples"] > 0).all()


def test_classes_worst_first():
    labels = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    answers = np.array([0, 0, 2, 2, 0, 2, 3, 1])
    table = scoring.by_class(answers, labels)
    assert table["truth"].tolist() == [1, 3, 0, 2]
    assert table["errors"].tolist() == [3, 1, 0, 0]
    assert table["top1"].tolist() == [0, 0.5, 1, 1]
    assert table["answer"].tolist() == [2, 1, -1, -1]
    assert table["example"].tolist() == [2, 7, -1, -1]


def test_look_alikes_count_as_right():
    answers = np.eye(4, dtype=np.float32)[[0, 1, 2, 3]]
    scores = scoring.score(predictions(answers, np.array([0, 0, 3, 3])), np.array([0, 0, 2, 3]))
    assert scores["top1"] == 0.5 and scores["top1_alike"] == 0.75
    assert "top1_alike" not in scoring.score(predictions(answers, np.arange(4)))


def test_none_of_the_classes_takes_what_strangers_have_and_little_of_what_is_known():
    """The background's share by hand: of two classes with logits 2 and 0 beside a third of 1."""
    logits = np.array([[2.0, 0.0]], np.float32)
    share, _ = scoring.confidence(logits, np.array([0]), 1.0, 1.0)
    powers = np.exp([2.0, 0.0, 1.0])
    assert share[0] == pytest.approx(powers[0] / powers.sum(), rel=1e-6)

    rng = np.random.default_rng(0)
    known = rng.normal(0, 1, (1000, 5)).astype(np.float32)
    known[np.arange(1000), rng.integers(5, size=1000)] += 9
    strangers = rng.normal(0, 1, (1000, 5)).astype(np.float32)
    strangers[:, 0] += 4  # as sure by their own measure, with less of it

    def sure(logits: np.ndarray, background: float = scoring.NO_BACKGROUND) -> int:
        nothing = np.zeros(len(logits), np.int64)
        return (scoring.confidence(logits, nothing, 0.5, background)[0] >= 0.9).sum()

    background = scoring.background(known, strangers, 0.5, 0.9)
    assert sure(strangers) > 800 and 19 <= sure(strangers, background) <= 20, "two of a hundred"
    assert sure(known) - 10 <= sure(known, background), "one point of coverage"
    # Who cannot be told from what is known takes no more of it than that.
    background = scoring.background(known, known[::-1], 0.5, 0.9)
    assert 9 <= sure(known) - sure(known, background) <= 10


def test_where_nothing_is_sure_there_is_no_background():
    logits = np.zeros((4, 3), np.float32)
    sure = np.array([[9, 0, 0]], np.float32)
    assert scoring.background(sure, logits, 1.0, 0.9) == scoring.NO_BACKGROUND
    assert scoring.background(logits, sure, 1.0, 1.0) == scoring.NO_BACKGROUND
