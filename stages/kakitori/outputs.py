"""Outputs that appear whole or not at all: written beside their place, then renamed."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # its import takes a third of a second, which every worker process would pay
    import pandas as pd


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A path to write a file to; it becomes `path` when the block ends well, else it goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Like `whole`, for a folder, which replaces whatever stood at `path`."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        part.replace(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_json(path: Path, content: dict) -> None:
    """A dict as JSON with two spaces; NaN and infinity are refused (ValueError)."""
    with whole(path) as part:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        part.write_text(text + "\n", encoding="utf-8")


def write_csv(path: Path, table: "pd.DataFrame") -> None:
    """A table as CSV; no cell of it is a formula to a spreadsheet."""
    with whole(path) as part:
        texts = [name for name, kind in table.dtypes.items() if kind.kind not in "biufcmM"]
        cells = {name: table[name].map(cell) for name in texts}
        table.assign(**cells).to_csv(part, index=False, lineterminator="\n")


def cell(value: object) -> object:
    """A value as a spreadsheet is to show it: text that it would compute (`=HYPERLINK(…)`) gets an
    apostrophe before it. A sign alone is text already."""
    is_formula = isinstance(value, str) and len(value) > 1 and value[0] in "=+-@\t\r"
    return f"'{value}" if is_formula else value


def write_parquet(path: Path, table: "pd.DataFrame") -> None:
    with whole(path) as part:
        table.to_parquet(part, index=False, compression="zstd")
