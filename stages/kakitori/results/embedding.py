"""Where a network puts the classes among one another: their centres in its features, drawn flat.

The centre of a class is the mean of its samples' features, each of length 1, itself brought to
length 1; near means a large cosine.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from torch.nn import functional as F
from tqdm import tqdm

from kakitori.accuracy import scoring
from kakitori.learning import inference, machine

TEMPLATE = Path(__file__).with_name("map.html")
BATCH = 512  # images read at once
NEIGHBOURS = 10
COLOURED = 16  # components with a colour of their own
COMMON = 0.01  # share of the characters that a component is in, from which on it may have one
GRID = 10_000  # places on the page are whole numbers below it


def read(
    model: torch.nn.Module, images: torch.Tensor, trained: torch.dtype
) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 (N, D), each row of length 1, and answers int64 (N,) of uint8 (N, 1, S, S)
    images, in the precision that the network was trained in."""
    precision = machine.reading_precision(trained, torch.device("cpu"))
    features, answers = [], []
    with torch.inference_mode():
        for chunk in tqdm(images.split(BATCH), desc="map", disable=None):
            scaled = inference.scaled(chunk).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", precision, precision != torch.float32):
                outputs = model.eval()(scaled)
            features.append(F.normalize(outputs.features.float(), dim=1))
            answers.append(outputs.logits.argmax(1))
    return torch.cat(features).numpy(), torch.cat(answers).numpy()


def centres(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The centre of each class that has samples, float32 (C, D), in the order of its label.

    features : float32 (N, D). labels : int64 (N,).
    """
    mean = pd.DataFrame(features).groupby(labels).mean().to_numpy()
    return mean / np.linalg.norm(mean, axis=1, keepdims=True).clip(1e-12)


def neighbours(centres: np.ndarray, count: int = NEIGHBOURS) -> np.ndarray:
    """The other classes that are nearest to each, nearest first, int64 (C, at most count)."""
    cosines = centres @ centres.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, : min(count, len(centres) - 1)]


def membership(components: Sequence[Collection[str]]) -> pd.DataFrame:
    """Which class (row) has which component (column), bool."""
    each = pd.Series([list(c) for c in components]).explode().dropna()
    return pd.crosstab(each.index, each).reindex(range(len(components)), fill_value=0) > 0


def sharing(near: np.ndarray, has: pd.DataFrame) -> dict[str, float]:
    """The share of neighbours that have a component in common with the class, and that of all
    other classes (`chance`)."""
    table = has.to_numpy(np.float32)
    common = table @ table.T > 0
    np.fill_diagonal(common, False)
    count = len(common)
    return {
        "neighbours": float(np.take_along_axis(common, near, axis=1).mean()),
        "chance": float(common.sum() / (count * (count - 1))),
    }


def by_component(near: np.ndarray, has: pd.DataFrame) -> pd.DataFrame:
    """Per component `characters`, how many classes have it; `neighbours`, the share of these
    classes' neighbours that have it too; `chance`, the share of all other classes that do. Those
    in few classes are left out; first those that are furthest above chance."""
    table = has.to_numpy()
    counts = table.sum(0)
    together = (table[near] & table[:, None]).sum((0, 1))
    components = pd.DataFrame(
        {
            "component": has.columns,
            "characters": counts,
            "neighbours": together / (near.shape[1] * counts),
            "chance": (counts - 1) / (len(table) - 1),
        }
    )
    components = components[components["characters"] >= max(2, COMMON * len(table))]
    above = components["neighbours"] - components["chance"]
    return components.assign(above=above).sort_values(
        ["above", "component"], ascending=[False, True]
    )


def flat(centres: np.ndarray, seed: int) -> np.ndarray:
    """Places in two dimensions, float32 (C, 2): t-SNE (van der Maaten and Hinton 2008) of the first
    50 principal components."""
    count = len(centres)
    reduced = PCA(min(50, *centres.shape), random_state=seed).fit_transform(centres)
    perplexity = min(30.0, (count - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed)
    return tsne.fit_transform(reduced)


def summary(centres: np.ndarray, places: np.ndarray, near: np.ndarray, has: pd.DataFrame) -> dict:
    """Whether the map means anything: `sharing` of the neighbours in all dimensions, and the
    `trustworthiness` of the two (Venna and Kaski 2001): 1 where all that is near on the page is."""
    k = max(1, min(NEIGHBOURS, (len(centres) - 1) // 2))
    trusted = trustworthiness(centres, places, n_neighbors=k, metric="cosine")
    return {
        "classes": len(centres),
        "nearest": near.shape[1],
        "share_a_component": sharing(near, has),
        "trustworthiness": float(trusted),
    }


def page(
    characters: Sequence[str],
    components: Sequence[Collection[str]],
    answers: np.ndarray,
    labels: np.ndarray,
    places: np.ndarray,
    near: np.ndarray,
    has: pd.DataFrame,
    about: dict,
) -> str:
    """One HTML file that needs no network.

    characters, components, places (C, 2), near (C, k), has : of each class, by label.
    answers, labels : int64 (N,), of each sample that was read.
    about : `provenance.of_run` and `summary`.
    """
    by_class = scoring.by_class(answers, labels).sort_values("truth")
    legend = by_component(near, has).head(COLOURED)
    names = list(has.columns)
    number = {name: k for k, name in enumerate(names)}
    low = places.min(0)
    spread = max(float((places.max(0) - low).max()), 1e-12)
    content = {
        "characters": list(characters),
        "places": np.rint((places - low) / spread * GRID).astype(int).tolist(),
        "components": names,
        "of": [[number[c] for c in own] for own in components],
        "samples": by_class["samples"].tolist(),
        "errors": by_class["errors"].tolist(),
        "answer": by_class["answer"].tolist(),
        "nearest": near[:, 0].tolist(),
        "legend": [
            {
                "component": number[row.component],
                "characters": row.characters,
                "neighbours": round(row.neighbours, 3),
                "chance": round(row.chance, 3),
            }
            for row in legend.itertuples()
        ],
    }
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.policies["json.dumps_kwargs"] = {
        "ensure_ascii": False,
        "allow_nan": False,
        "separators": (",", ":"),
    }
    environment.filters["percent"] = lambda x: f"{100 * x:.1f} %"
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(content=content, **about)
