"""What every script of stages/ does around its own work: --help, settings, errors, energy."""

import argparse
import contextlib
import functools
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kakitori import outputs
from kakitori.errors import DataError, SettingsError, refusal
from kakitori.reading.normalising.tree import shown

if TYPE_CHECKING:  # what a script needs that reads settings; the page is built without
    from kakitori.running import params


def run(
    main: Callable[["params.Settings"], None],
    doc: str,
    measure_energy: bool = False,
    writes: bool = True,
    instead: dict[str, Callable[..., None]] | None = None,
) -> None:
    """Run a stage as a command.

    Ends with status 1 and one line on bad settings or data, and when another stage runs in this
    folder, unless this one `writes` nothing. With `measure_energy`, what the stage used is written
    to metrics/energy/<stage>.json. A flag of `instead` ("verify", or "show TEXT" where it takes a
    value) runs its function in the stage's place, which is then neither measured nor alone.
    """
    name = Path(sys.argv[0]).stem
    parser = arguments(doc)
    for flag in instead or {}:
        option, _, value = flag.partition(" ")
        if value:
            parser.add_argument(f"--{option}", metavar=value)
        else:
            parser.add_argument(f"--{option}", action="store_true")
    given = vars(parser.parse_args())
    for flag, function in (instead or {}).items():
        option, _, value = flag.partition(" ")
        if given[option]:
            main = functools.partial(function, given[option]) if value else function
            measure_energy = writes = False
    started = time.perf_counter()
    from kakitori.running import params

    with ended_well(name):
        settings = params.load()
        with outputs.alone(name) if writes else contextlib.nullcontext(), outputs.together():
            if measure_energy:
                from kakitori.running import energy

                with energy.measured(name, settings.carbon.country):
                    main(settings)
            else:
                main(settings)
    try:
        print(f"{name}: {time.perf_counter() - started:.1f} s", flush=True)
    except OSError as error:
        outputs.mute()
        sys.exit(f"{name}: standard output: {refusal(error) or error}; the results are in place")


def arguments(doc: str) -> argparse.ArgumentParser:
    """What a script can be told; --help shows `doc` as it is written."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


@contextlib.contextmanager
def by_hand(name: str) -> Iterator[None]:
    """The work of a script that is no stage: `ended_well`, and alone of its name."""
    with ended_well(name), outputs.alone(name, name):
        yield


@contextlib.contextmanager
def ended_well(name: str) -> Iterator[None]:
    """A script's work: bad settings or data, and what the system refuses (a full disk, no memory),
    end it with status 1 and one line."""
    try:
        yield
    except (DataError, SettingsError) as error:
        sys.exit(f"{name}: {shown(str(error))}")
    except KeyboardInterrupt:
        sys.exit(f"{name}: interrupted; {_kept()}")
    except Exception as error:
        message = refusal(error)
        if message:
            outputs.mute()  # what is not yet printed may be what failed
            sys.exit(f"{name}: {message}; {_kept()}")
        if isinstance(error, FileNotFoundError):
            # pyarrow says the path alone, as the error's text; HDF5 says it within.
            match = re.search(r"name = '(.+?)'", str(error))
            path = Path(os.fsdecode(error.filename or (match[1] if match else str(error))))
            sys.exit(f"{name}: {path}: expected a file, found none; {outputs.remedy(path)}")
        if isinstance(error, OSError) and error.filename is not None:
            sys.exit(f"{name}: {error.filename}: expected a file, found: {error.strerror}")
        library = type(error).__module__.partition(".")[0]
        if library == "pyarrow" or (isinstance(error, OSError) and error.errno is None):  # HDF5's
            sys.exit(
                f"{name}: expected files as earlier stages wrote them, found one damaged: "
                f"{' '.join(str(error).split())[:200]}; `dvc status` names it, `dvc checkout` "
                "brings it back"
            )
        raise


def _kept() -> str:
    """What is left of earlier runs; DVC removes outputs before it begins."""
    if "DVC_STAGE" in os.environ:
        return "nothing was left half-written, and `dvc checkout` brings back the results before"
    return "nothing was left half-written, and the results before it were kept"
