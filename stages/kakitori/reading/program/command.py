"""The program `kakitori`: images of single characters in, answers out."""

import contextlib
import errno
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePath

import numpy as np

from kakitori import outputs
from kakitori.errors import DataError, refusal
from kakitori.reading import monitoring, shipped
from kakitori.reading.normalising import tree
from kakitori.reading.program import arguments, inputs
from kakitori.reading.program.answers import TOP, Csv, Json, Reading, Table
from kakitori.reading.program.inputs import Picture
from kakitori.reading.recognizer import Recognizer

BATCH = 64
CLOSED = 141  # the status of a command whose reader has seen enough, as `| head` has
Explain = Callable[[list[Picture], Recognizer, Path], None]
Extend = Callable[[list[str]], AbstractContextManager[Path]]


def main(
    command: str = "kakitori",
    project: Path | None = None,
    explain: Explain | None = None,
    extend: Extend | None = None,
) -> None:
    """Read what the command line names, and end the process.

    Parameters
    ----------
    command : how people start it; its last word names it in errors.
    project : a checkout, whose own model and table of strokes come before the shipped ones.
    explain, extend : make the pictures of --explain and the model of --add, which need PyTorch and
        so a checkout.
    """
    name = PurePath(command).stem
    try:
        options = arguments.parse(command, project)
        with contextlib.ExitStack() as stack:
            if options.add:
                options.model = [stack.enter_context(_extended(options, extend))]
            answer(options, project, explain, name)
    except DataError as error:
        sys.exit(f"{name}: {tree.shown(str(error))}")
    except BrokenPipeError:
        outputs.mute()
        sys.exit(CLOSED)
    except KeyboardInterrupt:
        outputs.mute()
        sys.exit(f"{name}: interrupted")
    except Exception as error:
        # Pictures of --explain have names; what else it writes goes to where answers go.
        writes = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        message = refusal(error, "standard output" if writes else "")
        if not message and isinstance(error, OSError):
            message = f"{error.filename or 'files'}: {error.strerror or error}"
        if not message:
            raise
        outputs.mute()
        sys.exit(f"{name}: {tree.shown(message)}")


def answer(options: Namespace, project: Path | None, explain: Explain | None, name: str) -> None:
    """All that was asked for; DataError at the end where something could not be read."""
    form = Json() if options.json else Csv() if options.csv else Table()
    threshold = options.reject_below
    if threshold is not None and not 0 <= threshold <= 1:
        raise DataError(f"--reject-below: expected a probability, found {threshold}")
    if options.explain and options.explain.exists() and not options.explain.is_dir():
        raise DataError(f"--explain: expected a folder, found the file {options.explain}")
    if options.explain and not explain:
        raise DataError(
            "--explain: expected a checkout with PyTorch and a trained network, found the "
            "installed package; `python stages/recognize.py --explain` of a checkout does it"
        )
    models = options.model or [chosen(project, "models/exports/int8.onnx", shipped.MODEL)]
    characters = options.characters or chosen(project, "data/characters.parquet", shipped.STROKES)
    for needed in [*models, *([characters] if options.pen else [])]:
        if not needed.exists() and (who := outputs.under_way(needed)):
            raise DataError(
                f"{needed}: expected a file, found none: {who} is under way, which may be "
                "making it: try again when it has ended"
            )
    recognizer = Recognizer(
        *models,
        candidates=options.candidates,
        prior=options.prior,
        providers=options.providers,
    )
    if options.reject and threshold is None:
        threshold = recognizer.threshold
    pictures, passed_over = inputs.find_pictures(options.paths)
    pictures += inputs.pen_drawings(options.pen, characters, options.judge)
    pictures = [picture._replace(frame=options.frame) for picture in pictures]
    if options.explain:
        explain(pictures, recognizer, options.explain)
    form.begin()
    failed = recognize(pictures, recognizer, form, threshold, options)
    sys.stdout.flush()
    report(passed_over | inputs.further_pages(pictures), name)
    if failed:
        raise DataError(
            f"{len(failed)} of {len(pictures)} could not be read, the first {failed[0]}"
        )


def _extended(options: Namespace, extend: Extend | None) -> AbstractContextManager[Path]:
    """The model of --add."""
    if options.model:
        raise DataError("--add: expected this checkout's own model, found --model beside it")
    if not extend:
        raise DataError(
            "--add: expected a checkout with PyTorch and a trained network, found the installed "
            "package; `python stages/recognize.py --add` of a checkout does it"
        )
    return extend(options.add)


def chosen(project: Path | None, own: str, ships: str) -> Path:
    """A file where none is named: the project's own, or else the one that ships. Where there is
    neither, the project's, which can be made."""
    if project and ((project / own).exists() or not shipped.about()):
        return project / own
    return shipped.model() if ships == shipped.MODEL else shipped.file(ships)


def recognize(
    pictures: list[Picture],
    recognizer: Recognizer,
    form: Table | Json | Csv,
    threshold: float | None,
    options: Namespace,
) -> list[str]:
    """A line of `form` for each picture; returns which could not be read, each with the reason."""
    first = five = labelled = 0
    failed: list[str] = []
    seen: list[dict[str, np.ndarray]] = []
    for start in counted(len(pictures)):
        some = [(p, inputs.views(p, recognizer.size)) for p in pictures[start : start + BATCH]]
        answers = iter(())
        images = [image for _, image in some if not isinstance(image, str)]
        if images:
            answers, signals = read(np.stack(images, 1), recognizer, options)
            seen.append(signals)
        for picture, image in some:
            name, label, _, match, _ = picture
            if isinstance(image, str):
                failed.append(f"{name}: {image}")
                form.failed(name, label, image)
                continue
            top, strokes, feedback = next(answers)
            if label is not None:
                labelled += 1
                first += bool(top) and top[0][0] == label
                five += label in [character for character, _ in top]
            sure = None if threshold is None else bool(top) and top[0][1] >= threshold
            form.line(Reading(name, label, top, sure, strokes, feedback, match))
    if labelled:
        form.summary({"samples": labelled, "top1": first / labelled, "top5": five / labelled})
    if options.monitor and any(len(s["confidence"]) for s in seen):
        signals = {name: np.concatenate([s[name] for s in seen]) for name in seen[0]}
        form.monitor(monitoring.stability(signals, recognizer.deciles))
    return failed


def read(
    views: np.ndarray, recognizer: Recognizer, options: Namespace
) -> tuple[Iterator[tuple], dict[str, np.ndarray]]:
    """Of views uint8 (1 or 2, N, size, size), the second in their frames: per image its likeliest
    characters, its strokes and what is wrong with them; and what monitoring watches."""
    images, *framed = views
    written = recognizer.strokes(images) if options.strokes else [None] * len(images)
    meant = options.feedback
    judged = recognizer.feedback(images, meant) if meant else [None] * len(images)
    tops = recognizer.read_normalised(images, TOP, *framed)
    inked = [k for k, top in enumerate(tops) if top]
    confidences = np.array([tops[k][0][1] for k in inked])
    signals = monitoring.signals(images[inked], confidences)
    return zip(tops, written, judged, strict=True), signals


def counted(total: int) -> Iterator[int]:
    """The beginning of each batch; a terminal is told how many images are done, after two seconds.
    Not by tqdm, which the package does without."""
    began, shows = time.monotonic(), sys.stderr.isatty()
    progress = ""
    for start in range(0, total, BATCH):
        if shows and time.monotonic() - began > 2:
            progress = f"{start:,} of {total:,} images"
            print(f"\r{progress}", end="", file=sys.stderr, flush=True)
        yield start
    if progress:
        print(f"\r{' ' * len(progress)}\r", end="", file=sys.stderr, flush=True)


def report(passed_over: dict[str, str], name: str) -> None:
    """What was passed over, on stderr: a line a reason."""
    names: dict[str, list[str]] = {}
    for file, reason in passed_over.items():
        names.setdefault(reason, []).append(tree.shown(file))
    for reason, some in names.items():
        shown = ", ".join(some[:3]) + (", …" if len(some) > 3 else "")
        print(f"{name}: passed over {len(some)}, {reason}: {shown}", file=sys.stderr)
