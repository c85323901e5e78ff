"""All of a run on one page: numbers, plots, sheets, the leaderboard, what has changed.

    python stages/report.py [--base REV]

Reads metrics/, models/model.json and git's history, so it is no stage; writes metrics/report.html,
one file that needs no network. The comparison is with the gate's base, the newest ancestor whose
metrics/evaluate.json differs, unless named.
"""

from kakitori import outputs
from kakitori.results import report
from kakitori.running import stage
from kakitori.running.params import ROOT


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("--base", metavar="REV", help="a commit, tag or branch")
    base = parser.parse_args().base
    path = ROOT / "metrics/report.html"
    with stage.by_hand("report"):
        page = report.page(ROOT, base)
        with outputs.whole(path) as part:
            part.write_text(page, "utf-8")
    print(f"report: {path.relative_to(ROOT)}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
