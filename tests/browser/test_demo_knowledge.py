"""What the page knows before it reads, and what it learns of a hand."""

import json

import numpy as np
import pytest

from kakitori.errors import DataError
from kakitori.reading.recognizer import Recognizer
from tests.browser.sites import TEXT, answered, of_strokes, opened, wait_said, written

# --- what is known before ---------------------------------------------------------------------

ASK = """async ([strokes, options]) => {
    const { load } = await import("./kakitori.js");
    window.kakitori ??= await load();
    return window.kakitori.recognise(strokes, options)
        .catch(({ code, message }) => ({ code, message }));
}"""


@pytest.mark.parametrize(
    "known",
    [
        {"candidates": "hiragana"},
        {"candidates": "joyo+い"},
        {"candidates": "木"},
        {"prior": "text"},
        {"candidates": "kana+二土口", "prior": "text"},
    ],
)
def test_candidates_and_prior_are_pythons(shown, stand_in, known):
    recognizer = Recognizer(stand_in, **known)
    for character in TEXT[::3]:
        strokes = shown.site.strokes(character)
        top = recognizer.read_normalised(of_strokes(strokes)[None], 10)[0]
        answer = shown.page.evaluate(ASK, [[s.tolist() for s in strokes], known])
        assert [c["character"] for c in answer["candidates"]] == [c for c, _ in top]
        probabilities = [c["probability"] for c in answer["candidates"]]
        assert probabilities == pytest.approx([p for _, p in top], abs=1e-5)
        assert answer["sure"] == (top[0][1] >= recognizer.threshold)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"candidates": "hiragna"}, "no-candidates", 'joined by +, found "hiragna"'),
        ({"candidates": "鬱"}, "no-candidates", "the model's 20 classes, found 鬱"),
        ({"candidates": "katakana"}, "no-candidates", "classes in katakana, found none"),
        ({"prior": "novels"}, "no-prior", 'expected text or none, found "novels"'),
        ({"frame": 0.1}, "no-frame", "expected a frame around the strokes"),
    ],
)
def test_what_cannot_be_known_is_named(shown, options, code, message):
    strokes = [s.tolist() for s in shown.site.strokes("木")]
    answer = shown.page.evaluate(ASK, [strokes, options])
    assert answer["code"] == code and message in answer["message"]
    if "candidates" in options:
        with pytest.raises(DataError, match="candidates: expected"):
            Recognizer(shown.site.folder / "model.onnx", **options)


def test_the_page_asks_for_an_alphabet_and_a_prior(shown, stand_in):
    page = shown.page
    pixels = written(page, "recognise", shown.site.strokes("木"))
    answered(page)
    offered = page.locator("#alphabet option").all_text_contents()
    assert offered == ["all", "hiragana", "everyday kanji and kana"], "the model has no katakana"
    page.locator("#alphabet").select_option("hiragana")
    page.locator("#prior").check()
    expected = Recognizer(stand_in, candidates="hiragana", prior="text").read_normalised(
        of_strokes(pixels)[None], 10
    )[0]
    shows = "answer => document.querySelector('.tiles b').textContent === answer"
    page.wait_for_function(shows, arg=expected[0][0])
    assert [c for c in answered(page) if c] == [c for c, _ in expected]


def test_the_page_learns_and_forgets(browser, site):
    """Told what was meant, it reads the same drawing so, after a reload too, until it forgets."""
    strokes = site.strokes("木")
    first = "answer => document.querySelector('.tiles b').textContent === answer"
    for shown in opened(browser, site):
        page = shown.page
        page.locator("#recognise .teach button[type=submit]").wait_for()
        assert page.locator(".teach button[type=submit]").is_disabled(), "nothing is written yet"
        written(page, "recognise", strokes)
        answered(page)
        before = page.locator(".tiles b").first.text_content()
        meant = next(c for c in TEXT if c != before)
        page.locator("#meant").fill(meant)
        page.locator("#meant").press("Enter")
        page.wait_for_function(first, arg=meant)
        wait_said(page, f"Learned {meant}")
        page.reload()
        written(page, "recognise", strokes)
        page.wait_for_function(first, arg=meant)
        page.locator("#meant").fill("鬱")
        page.locator(".teach button[type=submit]").click()
        wait_said(page, "does not know 鬱")
        page.locator("[data-do=forget]").click()
        page.wait_for_function(first, arg=before)
        assert page.locator("[data-do=forget]").is_hidden()
        assert not page.evaluate("() => localStorage.getItem('kakitori.hand')")


# --- what it is told of a hand ----------------------------------------------------------------

TOLD_OF_A_HAND = """async ([lessons, given, memory]) => {
    const { load } = await import("./kakitori.js");
    const kakitori = await load();
    if (memory) await kakitori.loadMemory(memory);
    for (const [strokes, character] of lessons) await kakitori.learn(strokes, character);
    const answers = [];
    for (const strokes of given) answers.push(await kakitori.recognise(strokes));
    const text = await kakitori.saveMemory();
    await kakitori.forget();
    return [answers, text, await kakitori.saveMemory()];
}"""


def test_what_is_learned_is_pythons(shown, stand_in, tmp_path):
    def lines(character: str) -> list:
        return [s.tolist() for s in shown.site.strokes(character)]

    lessons = [[lines(c), meant] for c, meant in zip("木土山木", "水士川火", strict=True)]
    lessons = [[strokes, meant] for strokes, meant in lessons if meant in TEXT]
    asked_for = "木土山田書"
    given = [lines(c) for c in asked_for]
    answers, text, empty = shown.page.evaluate(TOLD_OF_A_HAND, [lessons, given, None])
    path = tmp_path / "memory.json"
    path.write_text(text, "utf-8")
    recognizer = Recognizer(stand_in)
    recognizer.load_memory(path)
    assert [e.character for e in recognizer.examples] == [meant for _, meant in lessons]
    images = np.stack([of_strokes(shown.site.strokes(c)) for c in asked_for])
    for answer, top in zip(answers, recognizer.read_normalised(images, 10), strict=True):
        assert [c["character"] for c in answer["candidates"]] == [c for c, _ in top]
        probabilities = [c["probability"] for c in answer["candidates"]]
        assert probabilities == pytest.approx([p for _, p in top], abs=1e-5)
    plain = Recognizer(stand_in).read_normalised(images, 10)
    assert recognizer.read_normalised(images, 10) != plain
    assert json.loads(empty)["examples"] == []
    # Python's file, in the page.
    recognizer.save_memory(path)
    again, kept, _ = shown.page.evaluate(TOLD_OF_A_HAND, [[], given, path.read_text("utf-8")])
    assert again == answers and json.loads(kept)["size"] == 64


@pytest.mark.parametrize(
    ("lessons", "memory", "code"),
    [
        ([[[[[0, 0], [9, 9]]], "鬱"]], None, "no-class"),
        ([[[[[5, 5]]], "木"]], None, "empty"),
        ([], "no JSON", "no-memory"),
        ([], '{"kakitori": "memory", "size": 128, "examples": []}', "no-memory"),
        ([], '{"kakitori": "memory", "size": 64, "examples": [["木", "AAAA"]]}', "no-memory"),
    ],
)
def test_what_cannot_be_learned_is_named(shown, lessons, memory, code):
    script = TOLD_OF_A_HAND.replace("async (", "(...all) => (async (", 1)
    script += ")(...all).then(() => '', (error) => error.code)"
    assert shown.page.evaluate(script, [lessons, [], memory]) == code
