"""How people's strokes differ from KanjiVG's, and how those of our synthetic hands do.

    python tests/benchmarks/hands.py tomoe-strokes.zip kanjicanvas-strokes.zip \\
        [--katakana omniglot-katakana.zip] [--every 4] [--hands 20] [--csv FILE] [--picture FILE]

Every drawing is laid onto KanjiVG's strokes of its character by the affine map that fits it best;
tests/benchmarks/residuals.py measures what is left. A file of strokes is as `recognize.py --pen`
reads it, of one person, and is compared where its strokes are the reference's one for one. Ours
are drawn from the same references, by --hands writers of each preset, on the grid of a mouse. The
first two files tell what is of a person and what of the moment, and what both share against
KanjiVG, which is KanjiVG's own. --katakana is a folder or archive of pictures, U+XXXX/NN.png for
person NN; their strokes are traced, and so are ours, from pictures of the same pen.
What is measured sets the scale of noise; it is never a training sample.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "stages")]

from tests.benchmarks import katakana, real_hands, residuals  # noqa: E402

from kakitori.reading.characters import charset  # noqa: E402
from kakitori.reading.characters.strokes import Form, resample  # noqa: E402
from kakitori.synthesis.hand import Hand  # noqa: E402
from kakitori.synthesis.paths import pen_paths  # noqa: E402
from kakitori.synthesis.table import POINTS, StrokeTable  # noqa: E402
from kakitori.writing import glyphs  # noqa: E402

PRESETS = ("plain", "varied", "hard")
GRID = 200  # steps of a frame: what a character of kanjicanvas has in pixels of its mouse
OFTEN = 4  # characters with a stroke of one part, from which on a habit is told from the moment
FIGURES = ("n", "mean", "sd", "robust", *(f"q{q:02}" for q in (5, 25, 50, 75, 95)))
WHOLE = ("slant", "rise", "aspect", "size", "x", "y")
SIGNED = ("x", "y", "length", "turn", "bow", "x in its part", "y in its part")
SPREADS = (*SIGNED, "shape")
SMOOTH = ("s-bend", "shake", "corner")
PARTS = ("x", "y", "width", "height", "lean", "rise")
SHARES = [f"{no}hook at the {end}" for no in ("", "no ") for end in ("start", "end")]


class Drawing(NamedTuple):
    """One character by one writer.

    lines : float64 (n, residuals.POINTS, 2), its strokes in the reference's order and direction.
    points : int (n,), with how many points each was drawn.
    order : int (n,), as which of all it was drawn. backwards : bool (n,).
    strokes : polylines as drawn, those between which the pen stayed down as one.
    """

    writer: int
    character: str
    lines: np.ndarray
    points: np.ndarray
    order: np.ndarray
    backwards: np.ndarray
    strokes: list[np.ndarray]


class Tables(NamedTuple):
    """What is left of all drawings of one source, a row each."""

    strokes: pd.DataFrame
    joints: pd.DataFrame
    parts: pd.DataFrame
    wholes: pd.DataFrame


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawings", type=Path, nargs="+")
    parser.add_argument("--katakana", type=Path, help="pictures of it by several people")
    parser.add_argument("--every", type=int, default=4, help="only every so many-th character")
    parser.add_argument("--hands", type=int, default=20, help="writers of each preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    files = {path.stem.removesuffix("-strokes"): real_hands.read(path) for path in options.drawings}
    known = sorted({d.character for drawings in files.values() for d in drawings})
    chosen = sorted({*known[:: options.every], *(SHEET if options.picture else "")} & set(known))
    forms, references = known_of(chosen)
    sources = {name: list(drawn_by(d, references)) for name, d in files.items()}
    for preset in PRESETS:
        sources[preset] = list(written(forms, preset, options.hands, options.seed))
    tables = {name: measured(drawings, references) for name, drawings in sources.items()}
    rows = [*spreads(tables), *orders(files, sources, references)]
    rows += habits(tables, list(files)[:2])
    if options.katakana:
        rows += of_katakana(options)
    table = pd.DataFrame(rows, columns=["part", "measure", "of", "source", *FIGURES])
    show(table)
    if options.csv:
        table.to_csv(options.csv, index=False, float_format="%.4g")
    if options.picture:
        picture(options.picture, sources, tables, references)


# ---------------------------------------------------------------------------------------------
# Drawings


def known_of(characters: Iterable[str]) -> tuple[dict[str, Form], dict]:
    """Forms and references of those characters that KanjiVG has."""
    archive = ROOT / "data/external/kanjivg.zip"
    read = glyphs.forms_of("kanjivg", characters, archive, 1)
    references = {c: residuals.reference_of(c, form, tree) for c, (form, tree) in read.items()}
    return {c: form for c, (form, _) in read.items()}, references


def drawn_by(drawings: Iterable, references: dict) -> Iterator[Drawing]:
    """One person's drawings of which each stroke is one of the reference's."""
    for drawing in drawings:
        if drawing.character in references:
            strokes = [s if len(s) > 1 else np.repeat(s, 2, 0) for s in drawing.strokes]
            pairing = residuals.paired(strokes, references[drawing.character])
            if pairing is not None:
                points = np.array([len(strokes[k]) for k in pairing.order])
                yield Drawing(0, drawing.character, pairing.lines, points, *pairing[1:], strokes)


def written(forms: dict[str, Form], preset: str, hands: int, seed: int) -> Iterator[Drawing]:
    """Every character by so many of our writers, as far as a mouse tells."""
    table = StrokeTable.of(forms, list(forms))
    for writer in range(hands):
        rng = np.random.default_rng([seed, writer])
        hand = Hand.draw(rng, preset)
        # What the pen does before it is drawn; draw_page gives the drawing alone.
        paths = pen_paths(table, hand, rng)
        points = np.round(paths.points * GRID) / GRID
        for k, character in enumerate(forms):
            own = slice(paths.first[k], paths.first[k + 1])
            number, lines = paths.number[own], points[own]
            order = np.argsort(number[number > 0])
            lines = [resample(s, residuals.POINTS) for s in lines[number > 0][order]]
            count = np.full(len(order), POINTS)
            drawn = joined(points[own], number)
            yield Drawing(writer, character, np.stack(lines), count, order, count < 0, drawn)


def joined(lines: np.ndarray, number: np.ndarray) -> list[np.ndarray]:
    """Strokes as the pen draws them: as one where a link, whose number is 0, leads to the next, or
    where that begins on the end of the one before."""
    strokes, links = lines[number > 0], lines[number == 0]
    ends = np.linalg.norm(strokes[None, :, -1] - links[:, None, 0], axis=2).argmin(1).tolist()
    after = dict(zip(ends, links, strict=True))
    drawn = [strokes[0]]
    for k, stroke in enumerate(strokes[1:]):
        if k in after:
            drawn[-1] = np.concatenate([drawn[-1], after[k], stroke])
        elif (drawn[-1][-1] == stroke[0]).all():
            drawn[-1] = np.concatenate([drawn[-1], stroke])
        else:
            drawn.append(stroke)
    return drawn


def measured(drawings: list[Drawing], references: dict) -> Tables:
    placed, targets, inner, keys = [], [], [], []
    joints, parts, wholes = [], [], []
    for drawing in drawings:
        reference = references[drawing.character]
        target, whose = reference.strokes, (drawing.writer, drawing.character)
        drawn, whole = residuals.laid(drawing.lines, target)
        placed.append(drawn)
        targets.append(target)
        inner.append(residuals.within_parts(drawn, target, reference.parts))
        script = charset.script(ord(drawing.character))
        columns = reference.types, reference.members, drawing.points.tolist()
        keys += [(*whose, k, script, *row) for k, row in enumerate(zip(*columns, strict=True))]
        contacts = reference.joints
        left = residuals.past(drawn, contacts) - residuals.past(target, contacts)
        joints += zip(contacts.kind, (100 * left).tolist(), strict=True)
        parts += residuals.of_parts(drawn, target, reference.parts)
        wholes.append((*whose, *whole.values()))
    names = ["writer", "character", "stroke", "script", "type", "member", "points"]
    strokes = pd.DataFrame(keys, columns=names)
    placed, targets, inner = (np.concatenate(arrays) for arrays in (placed, targets, inner))
    due = np.linalg.norm(np.diff(targets, axis=1), axis=2).sum(1)
    strokes["band"] = pd.cut(due, [0, 0.2, 0.45, np.inf], labels=["short", "middle", "long"])
    left = pd.DataFrame(residuals.of_strokes(placed, targets))
    # Who sets a point here and there does not tell how the pen ran between them.
    left.loc[strokes["points"] < residuals.FEW, ["bow", *SMOOTH, *SHARES]] = np.nan
    left["x in its part"], left["y in its part"] = inner.T
    wholes = pd.DataFrame(wholes, columns=["writer", "character", *WHOLE])
    # Places are in the drawing's units: in hundredths of this writer's square.
    side = np.exp(wholes.groupby("writer")["size"].transform("median") / 100)
    wholes[["x", "y"]] = wholes[["x", "y"]].mul(100 / side, axis=0)
    joints = pd.DataFrame(joints, columns=["kind", "past"])
    return Tables(pd.concat([strokes, left], axis=1), joints, pd.DataFrame(parts), wholes)


def figures(values: Iterable[float]) -> tuple:
    """Number, mean, standard deviation, that which the quartiles of a normal distribution would
    have, and quantiles."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (len(values), *[np.nan] * (len(FIGURES) - 1))
    q = np.percentile(values, [5, 25, 50, 75, 95])
    return len(values), values.mean(), values.std(ddof=1), (q[3] - q[1]) / 1.349, *q


def spreads(tables: dict[str, Tables]) -> Iterator[tuple]:
    """Rows of what is left, by source, by length and type, and of wholes beside each writer's
    own."""
    for source, frames in tables.items():
        strokes = frames.strokes
        for measure in (*SPREADS, *SMOOTH, *SHARES):
            yield "stroke", measure, "all", source, *figures(strokes[measure])
            for column in ("band", "type", "script"):
                for value, own in strokes.groupby(column, observed=True)[measure]:
                    yield "stroke", measure, value, source, *figures(own)
        past = dict(iter(frames.joints.groupby("kind")["past"]))
        for kind, values in past.items():
            yield "joint", kind, "all", source, *figures(values)
        yield "joint", "gap over 3", "all", source, *figures(100.0 * (past["tee"] < -3))
        yield "joint", "overshoot over 3", "all", source, *figures(100.0 * (past["tee"] > 3))
        for measure in PARTS:
            yield "part", measure, "all", source, *figures(frames.parts[measure])
        by = frames.wholes.groupby("writer")
        for measure in WHOLE:
            moment = frames.wholes[measure] - by[measure].transform("median")
            yield "whole", measure, "of the moment", source, *figures(moment)
            yield "whole", measure, "of the writer", source, *figures(by[measure].median())


def orders(files: dict, sources: dict[str, list[Drawing]], references: dict) -> Iterator[tuple]:
    """Shares of drawings, in hundredths, and of the places where a pen should be lifted."""
    for source, drawings in sources.items():
        every = files.get(source, drawings)  # people's others too
        every = [d for d in every if d.character in references]
        due = np.array([len(references[d.character].strokes) for d in every])
        fewer = due - np.array([len(d.strokes) for d in every])
        lifts = np.repeat(fewer.clip(0) / np.maximum(due - 1, 1), np.maximum(due - 1, 1))
        of_one = [(d.order, d.backwards) for d in drawings]
        for measure, values in {
            "fewer strokes": fewer > 0,
            "more strokes": fewer < 0,
            "lifts left out": lifts,
            "paired one for one": np.arange(len(every)) < len(drawings),
            "of these: out of order": [(np.diff(order) < 0).any() for order, _ in of_one],
            "of these: backwards": [backwards.any() for _, backwards in of_one],
        }.items():
            yield "order", measure, "all", source, *figures(100 * np.asarray(values, float))


def habits(tables: dict[str, Tables], people: list[str]) -> Iterator[tuple]:
    """What of each measure is the writer's and what the moment's: standard deviations.

    The same stroke of the same part in several characters (氵's second) is a writer's habit as far
    as the mean of it differs between two writers, and the moment as far as it scatters. Where both
    people leave KanjiVG together it is KanjiVG's own, and taken off.
    """
    pairs = {"people": [tuple(tables[p].strokes for p in people)]} if len(people) == 2 else {}
    for preset in PRESETS:
        own = [table for _, table in tables[preset].strokes.groupby("writer")]
        pairs[preset] = list(zip(own[::2], own[1::2], strict=False))
    for source, each in pairs.items():
        for measure in SIGNED:
            variances = np.array([habit(a, b, measure) for a, b in each])
            for k, of in enumerate(("of the writer", "of the moment", "in common")):
                value = float(np.sqrt(np.clip(variances[:, k].mean(), 0, None)))
                blank = [np.nan] * (len(FIGURES) - 3)
                yield "habit", measure, of, source, len(each), np.nan, value, *blank


def habit(table: pd.DataFrame, other: pd.DataFrame, measure: str) -> tuple[float, float, float]:
    """Variances: between two writers, of the moment, and in common to both."""
    key = ["character", "stroke"]
    first = table.drop_duplicates(key)[[*key, "member", measure]]
    both = first.merge(other.drop_duplicates(key)[[*key, measure]], on=key).dropna()
    a, b = (both[m].clip(*both[m].quantile([0.01, 0.99])) for m in (f"{measure}_x", f"{measure}_y"))
    member = both["member"]
    size = member.groupby(member).transform("size")
    often = size >= OFTEN
    a, b, member, size = a[often], b[often], member[often], size[often]
    means = [v.groupby(member).transform("mean") for v in (a, b)]
    weight = size / (size - 1)  # of a squared distance from a mean over so many
    inner = [(v - m) for v, m in zip((a, b), means, strict=True)]
    scatter = [(weight * v**2).mean() for v in inner]
    common = (weight * inner[0] * inner[1]).mean()
    apart = (inner[0] - inner[1]) ** 2 * weight  # free of what is in common
    between = ((means[0] - means[1]) ** 2 - apart / size).mean() / 2
    return between, sum(scatter) / 2 - common, common


# ---------------------------------------------------------------------------------------------
# Pictures by several people


def of_katakana(options: argparse.Namespace) -> Iterator[tuple]:
    """What of the measures differs between people: standard deviations between them and of the
    moment, of strokes that are traced in pictures."""
    pictures = list(katakana.read_pictures(options.katakana))
    forms, references = known_of(sorted({c for _, c, _ in pictures}))
    hands = len({person for person, _, _ in pictures})
    sources = {"people": pictures}
    for preset in PRESETS:
        ours = written(forms, preset, hands, options.seed)
        sources[preset] = [(d.writer, d.character, katakana.inked(d.strokes)) for d in ours]
    for source, each in sources.items():
        drawings = []
        for person, character, ink in each:
            pairing = residuals.paired(katakana.traced(ink), references[character])
            if pairing is not None:
                points = np.full(len(pairing.order), residuals.POINTS)
                drawings.append(Drawing(person, character, pairing.lines, points, *pairing[1:], []))
        frames = measured(drawings, references)
        share = 100 * len(drawings) / len(each)
        yield "katakana", "traced one for one", "share", source, *figures([share, share])
        for measure in WHOLE[:3]:
            values = frames.wholes[measure]
            values = values - values.groupby(frames.wholes["character"]).transform("median")
            yield from components(measure, source, values, frames.wholes["writer"])
        strokes = frames.strokes
        for measure in SIGNED[:5]:
            place = [strokes["character"], strokes["stroke"]]
            values = strokes[measure] - strokes[measure].groupby(place).transform("median")
            owner = strokes["writer"].astype(str) + strokes["type"]
            yield from components(f"stroke's {measure}", source, values, owner)


def components(measure: str, source: str, values: pd.Series, owner: pd.Series) -> Iterator[tuple]:
    """Variance components of one way: between owners, and within each."""
    values = values.dropna()
    values = values.clip(*values.quantile([0.01, 0.99]))
    by = values.groupby(owner.loc[values.index])
    size = by.transform("size")
    values, mean, size = (v[size > 1] for v in (values, by.transform("mean"), size))
    within = ((values - mean) ** 2 * size / (size - 1)).mean()
    scatter = ((values - mean) ** 2 / (size - 1)).mean()
    between = mean.var() - scatter
    blank = [np.nan] * (len(FIGURES) - 3)
    for of, variance in (("of the writer", between), ("of the moment", within)):
        yield "katakana", measure, of, source, len(values), np.nan, max(variance, 0) ** 0.5, *blank


# ---------------------------------------------------------------------------------------------
# Shown

SHEET = "永書道国語東湯心門糸家駅あきさふ"
PANELS = (
    *(("strokes", measure) for measure in ("x", "y", "length", "turn", "bow", "shape")),
    *(("parts", measure) for measure in ("width", "height", "lean")),
    *(("joints", "past"), ("strokes", "s-bend"), ("strokes", "shake")),
)
SHOWN = {  # of all lengths, types and scripts
    *(("stroke", m, band) for m in ("x", "length", "turn") for band in ("short", "middle", "long")),
    *(("stroke", m, script) for m in ("turn", "shape") for script in ("kanji", "hiragana")),
}


def show(table: pd.DataFrame) -> None:
    """Markdown: the robust deviation and, in brackets, the standard deviation; of shares and of
    what has no sign the median or mean and the 95 % quantile."""
    common = ("all", "share", "of the moment", "of the writer", "in common")
    wanted = [
        row.of in common or (row.part, row.measure, row.of) in SHOWN for row in table.itertuples()
    ]
    for part, rows in table[wanted].groupby("part", sort=False):
        names = rows["source"].unique().tolist()
        print(f"| {part} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        for (measure, of), own in rows.groupby(["measure", "of"], sort=False):
            cells = {row["source"]: cell(row) for _, row in own.iterrows()}
            label = measure if of in ("all", "share") else f"{measure}, {of}"
            print(f"| {label} | {' | '.join(cells.get(name, '') for name in names)} |")
        print()


def cell(row: pd.Series) -> str:
    measure, part = row["measure"], row["part"]
    if not row["n"] or np.isnan(row["sd"]):
        return ""
    if part == "habit" or (part == "katakana" and row["of"] != "share"):
        return f"{row['sd']:.1f}"
    if part in ("order", "katakana") or "hook" in measure or "over 3" in measure:
        return f"{row['mean']:.1f} %"
    if part == "stroke" and measure in ("shake", "shape", "corner"):
        return f"{row['q50']:.2f}, {row['q95']:.2f}"
    return f"{row['robust']:.1f} ({row['sd']:.1f})"


def picture(path: Path, sources: dict, tables: dict[str, Tables], references: dict) -> None:
    """The same characters by people and by us, and the distributions of what is left."""
    import matplotlib.pyplot as plt

    rows = [("KanjiVG", {c: list(r.strokes) for c, r in references.items()})]
    for name, drawings in sources.items():
        for writer in sorted({d.writer for d in drawings})[:3]:
            own = {d.character: d.strokes for d in drawings if d.writer == writer}
            rows += [(name, own)]
    figure = plt.figure(figsize=(16, len(rows) + 7.5), layout="constrained")
    sheet, curves = figure.subfigures(2, 1, height_ratios=[len(rows), 7.5])
    for axes, (name, drawn) in zip(sheet.subplots(len(rows), len(SHEET)), rows, strict=True):
        axes[0].set_ylabel(name)
        for ax, character in zip(axes, SHEET, strict=True):
            for stroke in drawn.get(character, ()):
                ax.plot(*stroke.T, "k", linewidth=1.3, solid_capstyle="round")
            ax.set(aspect="equal", xticks=[], yticks=[])
            ax.invert_yaxis()
            ax.spines[:].set_visible(False)
    for ax, (kind, measure) in zip(curves.subplots(3, 4).flat, PANELS, strict=True):
        frames = {name: getattr(t, kind) for name, t in tables.items()}
        if kind == "joints":
            frames = {name: t[t["kind"] == "tee"] for name, t in frames.items()}
        values = {name: t[measure].dropna() for name, t in frames.items()}
        bins = np.linspace(*np.percentile(np.concatenate(list(values.values())), [1, 99]), 61)
        for name, own in values.items():
            style = "--" if name in PRESETS else "-"
            share = np.histogram(own, bins)[0] / len(own) if len(own) else np.full(60, np.nan)
            ax.plot((bins[1:] + bins[:-1]) / 2, share, style, label=name)
        ax.set(title=f"{kind}: {measure}", yticks=[])
    curves.axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
