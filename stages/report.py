"""All of a run on one page: numbers, plots, sheets, the leaderboard, what has changed.

    python stages/report.py [--base REV]

Reads metrics/, models/model.json and git's history, so it is no stage; writes metrics/report.html,
one file that needs no network. The comparison is with the gate's base, the newest ancestor whose
metrics/evaluate.json differs, unless named.
"""

import argparse
import sys

from kakitori import outputs
from kakitori.errors import DataError, SettingsError
from kakitori.params import ROOT
from kakitori.results import report


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", metavar="REV", help="a commit, tag or branch")
    try:
        page = report.page(ROOT, parser.parse_args().base)
    except (DataError, SettingsError) as error:
        sys.exit(f"report: {error}")
    except FileNotFoundError as error:
        sys.exit(f"report: {error.filename}: expected a file, found none; `dvc repro` makes it")
    path = ROOT / "metrics/report.html"
    with outputs.whole(path) as part:
        part.write_text(page, "utf-8")
    print(f"report: {path.relative_to(ROOT)}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
