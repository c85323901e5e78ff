"""Writes the tables that README.md and docs/results.md show of the metrics.

    python stages/documents.py

Reads metrics/ and, where a model ships, its model.json; changes nothing but what stands between the
marks `<!-- NAME -->` and `<!-- end of NAME -->`.
"""

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.results import documents
from kakitori.running import stage
from kakitori.running.params import ROOT


def main() -> None:
    stage.arguments(__doc__).parse_args()
    with (
        stage.by_hand("documents"),
        outputs.together(),
    ):
        for name, tables in documents.tables(ROOT).items():
            text = (ROOT / name).read_text("utf-8")
            for mark, table in tables.items():
                try:
                    text = documents.placed(text, mark, table)
                except DataError as error:
                    raise DataError(f"{name}: {error}") from None
            with outputs.whole(ROOT / name) as part:
                part.write_text(text, "utf-8")
            print(f"documents: {name}: {', '.join(tables)}")


if __name__ == "__main__":
    main()
