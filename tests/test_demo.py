"""The server of `make demo` over real sockets; of the page itself: tests/browser/test_demo.py."""

import hashlib
import json
import os
import re
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.reading import context, shipped
from kakitori.results import demo, packing
from tests import tables
from tests.models import small_model
from tests.projects import ROOT

SECRET = b"of another folder"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of a page, a subfolder's one, and things that are no files of it."""
    above = tmp_path_factory.mktemp("above")
    folder = above / "demo"
    (folder / "ort").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page")
    (folder / "ort/run.mjs").write_text("run()")
    (folder / "long.bin").write_bytes(bytes(30_000_000))  # more than a socket holds
    (above / "secret").write_bytes(SECRET)
    (above / "demo2").mkdir()  # a name that begins like the folder's
    (above / "demo2/secret").write_bytes(SECRET)
    (folder / "out").symlink_to(above / "secret")
    (folder / "away").symlink_to(above, target_is_directory=True)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "inside.mjs").symlink_to(folder / "ort/run.mjs")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    with demo.server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, target: str, *headers: str, method: str = "GET") -> tuple[int, dict, bytes]:
    """Status, headers and body of the answer; `headers` are sent as they are, a right Host where
    there are none."""
    lines = [f"{method} {target} HTTP/1.1", *(headers or [f"Host: localhost:{port}"]), "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as asked:
        asked.sendall("\r\n".join(lines).encode("latin-1"))
        answer = b"".join(iter(lambda: asked.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *rest = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in rest), body


@pytest.mark.parametrize(
    ("target", "body", "kind"),
    [
        ("/", b"<p>page", "text/html"),
        ("/index.html?again", b"<p>page", "text/html"),
        ("/ort/run.mjs", b"run()", "text/javascript"),
        ("/inside.mjs", b"run()", "text/javascript"),
    ],
)
def test_files_of_the_folder_are_served(port, target, body, kind):
    status, headers, content = ask(port, target)
    assert (status, content, headers["Content-type"]) == (200, body, kind)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert ask(port, target, method="HEAD")[::2] == (200, b"")


@pytest.mark.parametrize(
    "target",
    [
        "/ort",
        "/ort/",
        "/out",
        "/away",
        "/away/",
        "/away/secret",
        "/circle",
        "/pipe",
        "/absent",
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/../demo2/secret",
        "//demo2/secret",
        "/%00",
        "/index.html%00",
        "/%ed%a0%80",
        "/%ff",
        "/" + "a" * 5000,
        "http://example.org/",
    ],
)
def test_nothing_else_is_served(port, target, capfd):
    status, headers, body = ask(port, target)
    assert status == 404
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert SECRET not in body and b"run.mjs" not in body
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("host", ["localhost:{}", "LocalHost:{}", "127.0.0.1:{}", "[::1]:{}"])
def test_this_machine_is_answered(port, host):
    assert ask(port, "/", f"Host: {host.format(port)}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        ["Host: example.org:{}"],
        ["Host: localhost.example.org:{}"],
        ["Host: localhost:{}.example.org"],
        ["Host: localhost"],
        ["Host: localhost:1"],
        ["Host: 0.0.0.0:{}"],
        ["Host:"],
        ["Accept: */*"],
        ["Host: localhost:{}", "Host: example.org:{}"],
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_hosts_are_refused(port, headers, method):
    status, _, body = ask(port, "/", *(line.format(port) for line in headers), method=method)
    assert status == 403 and b"page" not in body


def test_an_aborted_download_says_nothing(port, capfd):
    served = threading.active_count()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as asked:
        asked.sendall(f"GET /long.bin HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
        assert re.match(rb"HTTP/1.0 200", asked.recv(100))
        sending = [t for t in threading.enumerate() if "process_request" in t.name]
        # Close with a reset, as a browser does that is ended.
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert sending
    for thread in sending:
        thread.join(60)
    assert threading.active_count() <= served
    assert capfd.readouterr() == ("", "")
    assert ask(port, "/")[0] == 200


def test_a_clone_without_a_run_shows_what_ships(tmp_path, monkeypatch):
    """No table of characters, no export, none of the libraries that read them."""
    ships = tmp_path / "model"
    ships.mkdir()
    model = small_model(ships / "model.onnx")
    packed, characters = packing.pack(tables.characters("あいう"))
    (ships / "strokes.bin").write_bytes(packed)
    outputs.write_json(ships / "characters.json", characters)
    about = {"model": "cnn", "sha256": hashlib.sha256(model.read_bytes()).hexdigest()}
    outputs.write_json(ships / "model.json", about)
    (ships / "LICENSE").write_text("CC BY-SA 4.0, KanjiVG\n", "utf-8")
    monkeypatch.setattr(shipped, "FOLDER", ships)
    root = tmp_path / "clone"
    shutil.copytree(ROOT / "demo", root / "demo", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy2(ROOT / "LICENSE", root)
    runtime = root / "demo/node_modules/onnxruntime-web/dist"
    runtime.mkdir(parents=True)
    for name in demo.RUNTIME:
        (runtime / name).write_text("runs")
    for library in ("pandas", "cv2", "torch", "dvc"):
        monkeypatch.setitem(sys.modules, library, None)
    assert demo.export_of(root) == model
    demo.build(root, root / "models/demo", model)
    built = root / "models/demo"
    assert (built / "model.onnx").read_bytes() == model.read_bytes()
    assert (built / "strokes.bin").read_bytes() == packed
    settings = json.loads((built / "model.json").read_text("utf-8"))
    assert settings["version"] == about and "".join(settings["classes"]) == "あいう"
    assert settings["alphabets"]["hiragana"] == "あいう" and not settings["alphabets"]["digits"]
    assert settings["priors"]["text"] == context.weights("text", "あいう").tolist()
    assert "CC BY-SA 4.0, KanjiVG" in (built / "NOTICE.txt").read_text("utf-8")
    # Its own run comes first.
    (root / "models/exports").mkdir()
    shutil.copy2(model, root / demo.FALLBACK)
    assert demo.export_of(root) == root / demo.FALLBACK
    model.write_bytes(model.read_bytes() + b"x")
    (root / demo.FALLBACK).unlink()
    with pytest.raises(DataError, match=r"expected the file that model\.json is about"):
        demo.export_of(root)
