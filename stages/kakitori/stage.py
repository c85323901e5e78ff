"""What every script of stages/ does around its own work: --help, settings, errors, energy."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kakitori import params
from kakitori.errors import DataError, SettingsError


def run(main: Callable[[params.Settings], None], doc: str, measure_energy: bool = False) -> None:
    """Run a stage as a command.

    Ends with status 1 and one line on bad settings or data. With `measure_energy`, what the stage
    used is written to metrics/energy/<stage>.json.
    """
    name = Path(sys.argv[0]).stem
    argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
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
