"""How a runtime's answers differ from ONNX Runtime's."""

import numpy as np


def compare(
    logits: np.ndarray, expected: np.ndarray, temperature: float, labels: np.ndarray, samples: int
) -> dict[str, float]:
    """
    Parameters
    ----------
    logits, expected : float32 (N, C), the runtime's and ONNX Runtime's.
    temperature : of the export, for probabilities.
    labels : int64 (N,); of these the first `samples` are of test samples, the rest of drawings.

    Returns
    -------
    `equal`, the share of the same first answers; `probability_difference`, the largest of any class
    and image; `top1` of the test samples, `drawings_top1`.
    """
    answers = logits.argmax(1)
    right = answers == labels
    apart = np.abs(softmax(logits / temperature) - softmax(expected / temperature))
    return {
        "equal": float((answers == expected.argmax(1)).mean()),
        "probability_difference": float(apart.max()),
        "top1": float(right[:samples].mean()),
        **({"drawings_top1": float(right[samples:].mean())} if samples < len(right) else {}),
    }


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities of logits (N, C)."""
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
