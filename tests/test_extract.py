"""The stage as people's folders meet it; what it reads of each corpus is tested with the corpus."""

import json
import os
from types import SimpleNamespace

import pandas as pd
import pytest

import extract
from kakitori.errors import DataError
from tests.inks import CROSS, HEAD, block
from tests.pictures import picture


def run(root, monkeypatch, corpora="auto") -> dict:
    monkeypatch.setattr(extract, "ROOT", root)
    monkeypatch.setattr(extract.extraction.os, "cpu_count", lambda: 1)
    extract.main(SimpleNamespace(data=SimpleNamespace(corpora=corpora, size=16)))
    return json.loads((root / "metrics/extract.json").read_text("utf-8"))


def fill(root) -> None:
    for name, content in {
        "x/U+3042/a.png": picture(),
        "x/え/b.png": picture(),
        "x/U+3042/cut.png": picture()[:60],
        "x/U+3042/no.png": b"no picture",
        "x/U+D800/c.png": picture(),
        "x/other/d.heic": b"x",
        "x/Thumbs.db": b"x",
        "x/more.7z": b"x",
        "kuchibue/a.dat": (HEAD + '.SEGMENT CHARACTER 0-1 ? "=cmd()"\n' + block(CROSS)).encode(),
        "kuchibue/b.dat": (HEAD + '.SEGMENT CHARACTER 0-1 ? "十"\n' + block(CROSS)).encode(),
        "ETL9G.7z": b"x",
    }.items():
        (root / "data/raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "data/raw" / name).write_bytes(content)
    os.mkfifo(root / "data/raw/x/U+3042/pipe.png")
    (root / "data/raw/x/U+3042/gone.png").symlink_to("nowhere")
    (root / "data/raw/x" / os.fsdecode(b"caf\xe9")).write_bytes(b"x")


def test_what_is_written_is_the_same_in_every_folder_and_run(tmp_path, monkeypatch):
    outputs = []
    for name in ("one", "another/far away"):
        fill(tmp_path / name)
        run(tmp_path / name, monkeypatch)
        files = [p for p in (tmp_path / name).rglob("*") if p.suffix in (".json", ".csv")]
        outputs.append({p.relative_to(tmp_path / name): p.read_bytes() for p in files})
    assert outputs[0] == outputs[1] and len(outputs[0]) == 3
    assert not any(str(tmp_path).encode() in content for content in outputs[0].values())
    assert not any(b" at 0x" in content for content in outputs[0].values())


def test_nothing_is_left_out_in_silence(tmp_path, monkeypatch, capsys):
    fill(tmp_path)
    seen = run(tmp_path, monkeypatch)
    assert seen["samples"] == 3 and seen["rejected"] == 4
    assert seen["corpora"]["raw/x"]["passed_over"] == {
        "a link to nothing": 1,
        "a picture in no folder called after its character (U+3042 or あ)": 1,
        "an archive of a kind that is not read; unpack it, or pack it as zip or tar": 1,
        "no file of this corpus": 2,
        "no plain file: a pipe, a socket or a device": 1,
    }
    left = pd.read_csv(tmp_path / "metrics/plots/extract/passed_over.csv")
    assert len(left) == 7 and {"raw/x/caf\\xe9", "raw/ETL9G.7z"} <= set(left["file"])
    rejects = pd.read_csv(tmp_path / "metrics/plots/extract/rejects.csv")
    assert set(rejects["source"]) == {"data/raw/x", "data/raw/kuchibue/a.dat"}
    output = capsys.readouterr().out
    assert "raw/x: 1 passed over: an archive of a kind that is not read" in output
    assert "data/raw: 1 passed over: an archive" in output


def test_an_archive_of_another_kind_is_named_where_its_corpus_is_asked_for(tmp_path, monkeypatch):
    fill(tmp_path)
    with pytest.raises(DataError, match=r"raw/ETL9G\.7z \(an archive of a kind that is not read"):
        run(tmp_path, monkeypatch, ["raw/ETL9G"])


def test_a_folder_behind_a_link_is_a_corpus(tmp_path, monkeypatch):
    fill(tmp_path / "disk")
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/mine").symlink_to(tmp_path / "disk/data/raw/x")
    assert run(tmp_path, monkeypatch)["samples"] == 2
    index = pd.read_parquet(tmp_path / "data/index.parquet")
    assert set(index["corpus"]) == {"raw/mine"} and set(map(chr, index["codepoint"])) == {
        "あ",
        "え",
    }
