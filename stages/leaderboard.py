"""Merge what experiments have measured into one table.

    python stages/leaderboard.py

Takes the rows of metrics/leaderboard.csv, of DVC's experiments and of this working tree, the newest
of each model and dataset; writes metrics/leaderboard.csv, metrics/leaderboard.png (errors against
bytes, latency and energy) and the table in docs/results.md. The best have the highest validation
accuracy; test is looked at last.
"""

from kakitori import outputs
from kakitori.card import leaderboard
from kakitori.errors import DataError
from kakitori.results import documents, tradeoffs
from kakitori.running import stage
from kakitori.running.params import ROOT


def main() -> None:
    stage.arguments(__doc__).parse_args()
    path, page = ROOT / "metrics/leaderboard.csv", ROOT / "docs/results.md"
    with (
        stage.by_hand("leaderboard"),
        outputs.together(),
    ):
        old = path.read_text("utf-8") if path.is_file() else ""
        table = leaderboard.merge(old, leaderboard.gather(ROOT))
        if table.empty:
            raise DataError("expected a finished run, found none; `dvc repro` makes one")
        ranking = leaderboard.markdown(table)
        text = documents.placed(page.read_text("utf-8"), "leaderboard", ranking)
        outputs.write_csv(path, table)
        with outputs.whole(path.with_suffix(".png")) as part:
            tradeoffs.draw(part, table)
        with outputs.whole(page) as part:
            part.write_text(text, "utf-8")
    print(ranking, end="")


if __name__ == "__main__":
    main()
