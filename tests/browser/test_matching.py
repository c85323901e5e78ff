"""demo/matching.js says the same as kakitori.reading.matching."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from kakitori.reading import matching
from tests.benchmarks import matching as benchmark
from tests.browser.pages import opened
from tests.pens import FILE, REFERENCES

ALL = """async (cases) => {
    const { lookAlikes, match } = await import("/matching.js");
    return cases.map(({ drawn, reference, ordered, ways, alike, judged }) =>
        match(drawn, reference,
            { ordered, ways, alike: new Map(Object.entries(alike ?? {})), judged }));
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as page:
        yield opened(page)


def test_shared_cases(page):
    given = [{**case, "reference": REFERENCES[case["reference"]]} for case in FILE["cases"]]
    for case, judgement in zip(FILE["cases"], page.evaluate(ALL, given), strict=True):
        wrong = {kind: judgement[kind] for kind in benchmark.KINDS if judgement[kind]}
        assert wrong == case["wrong"], case["name"]
        assert judgement["accepted"] == case.get("accepted", not case["wrong"])


def faulty(rng: np.random.Generator) -> dict:
    """A reference of up to thirty crooked strokes, drawn unsteadily, with up to three faults."""
    shapes = rng.normal(0, 0.15, (int(rng.integers(1, 31)), 5, 2)).cumsum(1)
    reference = list(shapes + rng.random((len(shapes), 1, 2)))
    tilt = np.eye(2) + rng.normal(0, 0.1, (2, 2))
    drawn = [300 * (s + rng.normal(0, 0.03, s.shape)) @ tilt for s in reference]
    for fault in rng.choice(list(benchmark.FAULTS.values()), rng.integers(4)):
        drawn = fault(drawn, rng)[0] if len(drawn) > 1 else drawn
    if rng.random() < 0.3:
        drawn.insert(int(rng.integers(len(drawn) + 1)), 300 * rng.random((1, 2)))
    if len(drawn) > 2 and rng.random() < 0.3:
        k = int(rng.integers(len(drawn) - 1))
        drawn[k : k + 2] = [np.concatenate(drawn[k : k + 2])]
    elif rng.random() < 0.3:
        k = int(rng.integers(len(drawn)))
        if len(drawn[k]) > 3:  # no dot
            drawn[k : k + 1] = [drawn[k][:3], drawn[k][2:]]
    near = [[s + rng.normal(0, 0.1, 2) for s in reference] for _ in range(3)]
    other = reference[1:] + reference[:1]
    numbers = rng.permutation(len(reference))
    order = [int(k if rng.random() < 0.8 else ~k) for k in numbers]
    plain = {
        "drawn": drawn,
        "reference": reference,
        "ways": [[order], [other], [other, order], [order, order[::-1]], []][rng.integers(5)],
        "alike": dict(zip("甲乙丙", near, strict=True)),
    }
    judged = [what for what in matching.STRICTNESS if rng.random() < 0.8]
    plain = json.loads(json.dumps(plain, default=np.ndarray.tolist))
    return plain | {"ordered": bool(rng.random() < 0.8), "judged": judged}


def test_the_same_as_in_python(page):
    rng = np.random.default_rng(0)
    given = [faulty(rng) for _ in range(100)]
    judged = [matching.match(**case) for case in given]
    assert sum(judgement.accepted for judgement in judged) > 5, "some without fault"
    assert all(
        sum(bool(getattr(judgement, kind)) for judgement in judged) > 0 for kind in benchmark.KINDS
    )
    for expected, judgement in zip(judged, page.evaluate(ALL, given), strict=True):
        distances = judgement.pop("distances")
        fields = json.loads(json.dumps(expected._asdict()))
        if fields["differs"]:
            fields["differs"] = dict(zip(("what", "strokes"), fields["differs"], strict=True))
        assert [d is None for d in distances] == [d is None for d in fields["distances"]]
        near = [(a, b) for a, b in zip(distances, fields.pop("distances"), strict=True) if b]
        assert all(a == pytest.approx(b, abs=1e-9) for a, b in near)
        assert judgement == fields
