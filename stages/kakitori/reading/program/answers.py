"""What is said of what was read: a table for people, JSON for programs, CSV for spreadsheets."""

import csv
import json
import sys
from typing import NamedTuple

from kakitori import outputs
from kakitori.reading import matching
from kakitori.reading.matching import Match
from kakitori.reading.stroke_answers import Feedback

TOP = 5
NOTHING = "no character: there is no ink, or dots alone"
REJECTED = "〓"  # printers' mark for a character that is not at hand


class Reading(NamedTuple):
    """What was read of an image."""

    file: str
    label: str | None  # the character that its folder or its file names
    top: list[tuple[str, float]]  # the likeliest characters, best first
    sure: bool | None  # None where nobody asked
    strokes: tuple[str, float] | None
    feedback: Feedback | None
    match: Match | None

    def words(self) -> str:
        """What is right or wrong with its strokes, if anybody asked."""
        sentences = [in_words(self.feedback) if self.feedback else ""]
        sentences += [matching.in_words(self.match) if self.match else ""]
        return ". ".join(filter(None, sentences))


def in_words(feedback: Feedback) -> str:
    """What was found wrong, such as "stroke 2 of 4 is missing"."""
    count, clauses = len(feedback.presence), []
    if feedback.missing:
        clauses.append(f"{matching.these(feedback.missing, f' of {count}')} missing")
    if feedback.extra:
        left, upper, right, lower = (f"{100 * edge:.0f} %" for edge in feedback.extra)
        clauses.append(
            f"a stroke too many from {left} to {right} of the width and {upper} to {lower} of the "
            "height"
        )
    return "; ".join(clauses) or f"all {count} strokes are there"


class Table:
    """For people: a line an image."""

    def begin(self) -> None:
        if reconfigure := getattr(sys.stdout, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # where the terminal has no such character

    def failed(self, file: str, label: str | None, reason: str) -> None:
        print(f"{file:<40}  {label or ' '}  not read: {reason}")

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, feedback, match = read
        cells = "  ".join(f"{character} {p:6.1%}" for character, p in top) or NOTHING
        mark = f"{REJECTED}  " if sure is False else ""
        print(f"{file:<40}  {label or ' '}  {mark}{cells}")
        if strokes:
            print(f"{'':<40}     {len(strokes[0])} strokes {strokes[0]} {strokes[1]:6.1%}")
        if feedback or match:
            print(f"{'':<40}     {read.words()}")

    def summary(self, figures: dict) -> None:
        print(
            f"{figures['samples']} labelled: top-1 {figures['top1']:.2%}, "
            f"top-5 {figures['top5']:.2%}"
        )

    def monitor(self, stability: dict[str, dict]) -> None:
        for name, cell in stability.items():
            print(
                f"{name.replace('_', ' ')}: mean {cell['mean']:.3f}, stability index "
                f"{cell['index']:.3f} (chance alone {cell['chance']:.3f}): {cell['verdict']}"
            )


class Json:
    """For programs: an object a line, then those of the summary and the monitor."""

    def begin(self) -> None:
        self.ascii = not (sys.stdout.encoding or "").lower().startswith("utf")

    def failed(self, file: str, label: str | None, reason: str) -> None:
        line = {"file": file, "label": label, "error": reason}
        print(json.dumps(line, ensure_ascii=self.ascii))

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, feedback, match = read
        rounded = [[character, round(p, 6)] for character, p in top]
        line = {"file": file, "label": label, "top": rounded}
        if sure is not None:
            line["sure"] = sure
        if strokes:
            line |= {"strokes": strokes[0], "strokes_probability": round(strokes[1], 6)}
        if feedback:
            line |= {
                "missing": feedback.missing,
                "presence": [round(p, 6) for p in feedback.presence.tolist()],
                "extra": feedback.extra,
            }
        if match:
            distances = [d if d is None else round(d, 6) for d in match.distances]
            line["match"] = match._asdict() | {"distances": distances}
        print(json.dumps(line, ensure_ascii=self.ascii))

    def summary(self, figures: dict) -> None:
        print(json.dumps({"summary": figures}))

    def monitor(self, stability: dict[str, dict]) -> None:
        print(json.dumps({"monitor": stability}))


class Csv:
    """For spreadsheets: a line an image; what is not of an image goes to stderr. In UTF-8 with its
    mark, without which Excel takes it for another encoding."""

    def begin(self) -> None:
        if reconfigure := getattr(sys.stdout, "reconfigure", None):
            reconfigure(encoding="utf-8")
        if not sys.stdout.isatty():
            print("\ufeff", end="")
        self.writer = csv.writer(sys.stdout, lineterminator="\n")
        ranks = [f"{what}{k + 1}" for k in range(TOP) for what in ("answer", "probability")]
        self.writer.writerow(["file", "label", "sure", *ranks, "strokes", "feedback", "error"])

    def line(self, read: Reading) -> None:
        file, label, top, sure, strokes, *_ = read
        cells = [cell for character, p in top for cell in (character, f"{p:.6f}")]
        cells += [""] * (2 * TOP - len(cells))
        known = "" if sure is None else str(sure).lower()
        cells += [strokes[0] if strokes else "", read.words(), ""]
        self.writer.writerow(map(outputs.cell, [file, label or "", known, *cells]))

    def failed(self, file: str, label: str | None, reason: str) -> None:
        empty = [""] * (2 * TOP + 3)
        self.writer.writerow(map(outputs.cell, [file, label or "", *empty, reason]))

    def summary(self, figures: dict) -> None:
        print(json.dumps({"summary": figures}), file=sys.stderr)

    def monitor(self, stability: dict[str, dict]) -> None:
        print(json.dumps({"monitor": stability}), file=sys.stderr)
