"""What matching finds, as a sentence."""

from collections.abc import Sequence

from kakitori.reading.matching.judging import Match


def in_words(found: Match) -> str:
    """What is wrong, such as "stroke 2 of 4 is missing; strokes 3 and 4 are swapped"."""
    count = len(found.drawn)
    said = [
        f"{these(numbers, of)} {what}"
        for numbers, of, what in (
            (found.missing, f" of {count}", "missing"),
            (found.extra, " of those drawn", "too many"),
            *((numbers, "", "joined") for numbers in found.joined),
            *((numbers, " of those drawn", "one stroke") for numbers in found.split),
            *((pair, "", "swapped") for pair in found.swapped),
            (found.early, "", "too early"),
            (found.late, "", "too late"),
            (found.reversed, "", "written backwards"),
        )
        if numbers
    ]
    if found.alike:
        said.append(f"it looks like {found.alike}{_what_differs(*found.differs)}")
    ordered = {"order", "direction"} <= set(found.judged)
    right = f"all {count} strokes are {'right' if ordered else 'there'}"
    if count == 1:
        right = f"its stroke is {'right' if ordered else 'there'}"
    words = "; ".join(said) or right
    if not {"order", "direction"} & set(found.judged):
        words += " (order and direction not judged)"
    return words


def _what_differs(what: str, strokes: list[int]) -> str:
    if not strokes:
        return ""
    should = {
        "longer": "should be longer than",
        "begin-on": "should begin on",
        "end-on": "should end on",
        "begin-off": "should begin clear of",
        "end-off": "should end clear of",
        "shape": "should have another shape",
    }[what]
    second = f" stroke {strokes[1]}" if len(strokes) > 1 else ""
    return f": stroke {strokes[0]} {should}{second}"


def these(numbers: Sequence[int], of: str = "") -> str:
    """Strokes as the subject of a sentence: "stroke 2 is", "strokes 1, 2 and 4 of 5 are"."""
    *before, last = map(str, numbers)
    named = " and ".join(filter(None, [", ".join(before), last]))
    return f"strokes {named}{of} are" if before else f"stroke {named}{of} is"
