"""What matching finds, as a sentence."""

from collections.abc import Sequence

from kakitori.reading.matching.judging import Match


def in_words(match: Match) -> str:
    """What is wrong, such as "stroke 2 of 4 is missing; strokes 3 and 4 are swapped"."""
    count = len(match.drawn)
    clauses = [
        f"{these(numbers, of)} {what}"
        for numbers, of, what in (
            (match.missing, f" of {count}", "missing"),
            (match.extra, " of those drawn", "too many"),
            *((numbers, "", "joined") for numbers in match.joined),
            *((numbers, " of those drawn", "one stroke") for numbers in match.split),
            *((pair, "", "swapped") for pair in match.swapped),
            (match.early, "", "too early"),
            (match.late, "", "too late"),
            (match.reversed, "", "written backwards"),
        )
        if numbers
    ]
    if match.alike:
        clauses.append(f"it looks like {match.alike}{_what_differs(*match.differs)}")
    ordered = {"order", "direction"} <= set(match.judged)
    right = f"all {count} strokes are {'right' if ordered else 'there'}"
    if count == 1:
        right = f"its stroke is {'right' if ordered else 'there'}"
    words = "; ".join(clauses) or right
    if not {"order", "direction"} & set(match.judged):
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
