import numpy as np
import pytest
from sklearn.metrics import log_loss, top_k_accuracy_score

from kakitori.results import scoring


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
