"""What every script of stages/ does around its own work: --help, settings, errors, energy."""

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kakitori import params
from kakitori.errors import DataError, SettingsError


def run(
    main: Callable[[params.Settings], None],
    doc: str,
    measure_energy: bool = False,
    instead: dict[str, Callable[..., None]] | None = None,
) -> None:
    """Run a stage as a command.

    Ends with status 1 and one line on bad settings or data. With `measure_energy`, what the stage
    used is written to metrics/energy/<stage>.json. A flag of `instead` ("verify", or "show TEXT"
    where it takes a value) runs its function in the stage's place, which is then not measured.
    """
    name = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
            measure_energy = False
    started = time.perf_counter()
    try:
        settings = params.load()
        if measure_energy:
            from kakitori.results import energy

            with energy.measured(name, settings.carbon.country):
                main(settings)
        else:
            main(settings)
    except (DataError, SettingsError) as error:
        sys.exit(f"{name}: {error}")
    except FileNotFoundError as error:
        sys.exit(f"{name}: {error.filename}: expected a file, found none; `dvc repro` makes it")
    print(f"{name}: {time.perf_counter() - started:.1f} s")
