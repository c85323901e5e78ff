"""The page in a browser: what a static file server needs, in one folder."""

import functools
import http.server
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from kakitori import context, outputs, reference
from kakitori.errors import DataError
from kakitori.recognizer import Recognizer
from kakitori.results.card import GLYPHS
from kakitori.writing.charset import LOOK_ALIKES

# Of onnxruntime-web only what the page loads: WASM with SIMD and threads, no WebGPU.
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
COMPACT, FALLBACK = "models/exports/strict_int8.onnx", "models/exports/int8.onnx"
LEVELS = 255  # of a coordinate in strokes.bin
LOCAL = ("localhost", "127.0.0.1", "[::1]")  # names that only this machine has
TOLERANCE = 0.002  # of the frame: how far a simplified polyline may run from the full one


def build(root: Path, folder: Path, model: Path) -> dict[str, int]:
    """Write the demo to `folder`, whole or not at all.

    Parameters
    ----------
    root : the project, with demo/node_modules in place (`install`).
    model : an export of ours; its classes, size, temperature and threshold go into model.json.

    Returns
    -------
    Bytes of the folder's parts: `model`, `strokes`, `page` and `runtime`.

    Raises DataError where the model, data/characters.parquet or the runtime is missing.
    """
    recognizer = Recognizer(model)
    characters = root / "data/characters.parquet"
    if not characters.is_file():
        raise DataError(
            f"{characters}: expected the table of characters, found no file; "
            "`dvc repro characters` makes it"
        )
    runtime = root / "demo/node_modules/onnxruntime-web/dist"
    table = pd.read_parquet(characters)
    with outputs.whole_folder(folder) as part:
        for source in sorted((root / "demo").glob("*.*")):
            if source.suffix in {".html", ".css", ".js", ".svg"}:
                shutil.copy2(source, part)
        page = _bytes(part)
        shutil.copy2(model, part / "model.onnx")
        settings = {
            "classes": list(recognizer.classes),
            "alike": context.alike(recognizer.classes).tolist(),
            "size": recognizer.size,
            "temperature": recognizer.temperature,
            "threshold": recognizer.threshold,
            "background": recognizer.background,
        }
        outputs.write_json(part / "model.json", settings)
        packed, about = pack(table)
        (part / "strokes.bin").write_bytes(packed)
        outputs.write_json(part / "characters.json", about)
        sizes = {
            "model": _bytes(part, "model.*"),
            "strokes": _bytes(part, "strokes.bin") + _bytes(part, "characters.json"),
            "page": page,
        }
        (part / "ort").mkdir()
        for name in RUNTIME:
            if not (runtime / name).is_file():
                raise DataError(
                    f"{runtime / name}: expected ONNX Runtime Web, found no file; `npm ci` in "
                    "demo/ brings it"
                )
            shutil.copy2(runtime / name, part / "ort")
        sizes["runtime"] = _bytes(part / "ort")
        notice = _notice(root, [source["name"] for source in about["sources"]])
        (part / "NOTICE.txt").write_text(notice, "utf-8")
    return sizes


def install(root: Path) -> None:
    """`npm ci` in demo/, unless what package-lock.json asks for is there already."""
    folder = root / "demo"
    installed = folder / "node_modules/.package-lock.json"
    wanted = folder / "package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(
            "expected the program npm, which brings ONNX Runtime Web, found none; install Node.js "
            "with npm (Debian: `apt-get install npm`)"
        )
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=folder).returncode:
        raise DataError(f"{folder}: expected `npm ci` to end well, found the error above")


def export_of(root: Path) -> Path:
    """The export that the page is made for, or the larger one that every architecture has."""
    found = next((root / n for n in (COMPACT, FALLBACK) if (root / n).is_file()), None)
    if found is None:
        raise DataError(
            f"{root / COMPACT}: expected an export, found no file, nor {FALLBACK}; `dvc exp run -S "
            "model=compact` makes the first, `dvc repro` the second, --model names another"
        )
    return found


def pack(table: pd.DataFrame) -> tuple[bytes, dict]:
    """The strokes of all characters in bytes, and what they are.

    Per character, in the order of `characters`: the number of its source in `sources`, the number
    of its strokes, and per stroke the number of its points and x and y of each, in 255ths of the
    frame; then the number of other right ways to write it, and of each the number of its strokes
    and those as before, or 0 and the numbers of the model's strokes in another order. Polylines are
    simplified (Douglas and Peucker 1973) to TOLERANCE.
    """
    forms = [reference.best(forms) for forms in table["forms"]]
    names = sorted({form["source"] for form in forms})
    packed = bytearray()
    for form, (_, row) in zip(forms, table.iterrows(), strict=True):
        packed += bytes([names.index(form["source"])]) + _packed(reference.lines(form))
        ways = reference.ways(row["forms"], row["decomposition"])
        packed += bytes([len(ways)])
        for way in ways:
            packed += bytes([0, *way.order]) if way.order else _packed(way.strokes)
    sources = [
        {"name": name, "ordered": name in reference.TRUE, "credit": GLYPHS.get(name, name)}
        for name in names
    ]
    about = {"characters": "".join(table["character"]), "sources": sources}
    return bytes(packed), about | {"same": list(LOOK_ALIKES)}


def _packed(strokes: list[np.ndarray]) -> bytes:
    packed = bytearray([len(strokes)])
    for stroke in strokes:
        kept = cv2.approxPolyDP(stroke.astype(np.float32)[:, None], TOLERANCE, False)[:, 0]
        packed += bytes([len(kept)])
        packed += np.rint(kept.clip(0, 1) * LEVELS).astype(np.uint8).tobytes()
    return bytes(packed)


def _notice(root: Path, sources: list[str]) -> str:
    licence = (root / "LICENSE").read_text("utf-8")
    terms = licence.split("\n\n", 2)[2]
    strokes = "\n".join(f"    {GLYPHS.get(name, name)}" for name in sources)
    return (
        f"Kakitori\n\n{licence}\n"
        f"Strokes (strokes.bin) come from\n\n{strokes}\n\n"
        "    KanjiVG's licence: https://creativecommons.org/licenses/by-sa/3.0/. Strokes from\n"
        "    IPAexGothic were traced from its outlines; the font itself is not in this folder.\n\n"
        "ONNX Runtime Web (ort/), MIT License\n\n"
        f"Copyright (c) Microsoft Corporation\n\n{terms}\n"
        "What it is built from: https://github.com/microsoft/onnxruntime, ThirdPartyNotices.txt\n"
    )


def _bytes(folder: Path, pattern: str = "*") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder and nothing else, in the way that lets a page use threads."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }
    isolated = True

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        # A page whose name was made to point here (DNS rebinding) could read what we serve.
        port = self.server.server_port
        ours = {f"{name}:{port}" for name in LOCAL} | (set(LOCAL) if port == 80 else set())
        hosts = self.headers.get_all("Host", [])
        if len(hosts) == 1 and hosts[0].strip().lower() in ours:
            return True
        self.send_error(http.HTTPStatus.FORBIDDEN, f"Expected the host localhost:{port}")
        return False

    def translate_path(self, path: str) -> str:
        """The file that is meant, its links resolved; "", which no file has for a name, where it is
        no file or lies outside."""
        folder = Path(self.directory).resolve()
        try:
            meant = Path(super().translate_path(path))
            meant = (meant / "index.html" if meant == Path(self.directory) else meant).resolve()
            found = meant.is_relative_to(folder) and meant.is_file()
        except (OSError, RuntimeError, ValueError):  # links in a circle, names that cannot be
            found = False
        return str(meant) if found else ""

    def end_headers(self) -> None:
        if self.isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        pass


class _Bare(_Handler):
    isolated = False


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        # A reader that goes away in the middle of a file is no fault of ours.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def server(folder: Path, port: int, isolated: bool = True) -> http.server.ThreadingHTTPServer:
    """A server of a folder's files on loopback; port 0 lets the system choose one.

    No folder is listed, no link followed out of `folder`, and a request for another host than
    localhost, 127.0.0.1 or [::1] with this port is refused.

    isolated : whether it sends Cross-Origin-Opener-Policy and -Embedder-Policy, without which pages
        have no threads; a plain file server sends neither.

    Raises DataError where the port is taken.
    """
    handler = functools.partial(_Handler if isolated else _Bare, directory=str(folder))
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError as error:
        raise DataError(
            f"port {port}: expected a free one, found: {error.strerror}; --serve names another"
        ) from None
