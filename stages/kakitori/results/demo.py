"""The page in a browser: what a static file server needs, in one folder."""

import functools
import http.server
import json
import shutil
import subprocess
import sys
from pathlib import Path

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.reading import context, shipped
from kakitori.reading.characters import charset
from kakitori.reading.recognizer import Recognizer

# Of onnxruntime-web only what the page loads: WASM with SIMD and threads, no WebGPU.
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
COMPACT, FALLBACK = "models/exports/strict_int8.onnx", "models/exports/int8.onnx"
LOCAL = ("localhost", "127.0.0.1", "[::1]")  # names that only this machine has


def build(root: Path, folder: Path, model: Path) -> dict[str, int]:
    """Write the demo to `folder`, whole or not at all.

    Parameters
    ----------
    root : the project, with demo/node_modules in place (`install`).
    model : an export of ours; its classes, size, temperature and threshold go into model.json.
        With the one that ships come its strokes, else those of data/characters.parquet.

    Returns
    -------
    Bytes of the folder's parts: `model`, `strokes`, `page` and `runtime`.

    Raises DataError where the model, the strokes or the runtime are missing.
    """
    recognizer = Recognizer(model)
    packed, about = strokes_for(root, model)
    with outputs.whole_folder(folder) as part:
        for source in sorted((root / "demo").glob("*.*")):
            if source.suffix in {".html", ".css", ".js", ".ts", ".svg", ".md"}:
                shutil.copy2(source, part)
        page = _bytes(part)
        package = json.loads((root / "demo/package.json").read_text("utf-8"))
        # The runtime lies in the folder.
        kept = {k: v for k, v in package.items() if k not in ("private", "dependencies")}
        outputs.write_json(part / "package.json", kept)
        shutil.copy2(model, part / "model.onnx")
        settings = {
            "classes": list(recognizer.classes),
            "alike": context.alike(recognizer.classes).tolist(),
            "size": recognizer.size,
            "temperature": recognizer.temperature,
            "threshold": recognizer.threshold,
            "background": recognizer.background,
            "alphabets": alphabets(recognizer.classes),
            "priors": {"text": context.weights("text", recognizer.classes).tolist()},
            "version": shipped.about() if model.resolve().parent == shipped.FOLDER else None,
        }
        text = json.dumps(settings, ensure_ascii=False, separators=(",", ":"))
        (part / "model.json").write_text(text, "utf-8")
        (part / "strokes.bin").write_bytes(packed)
        outputs.write_json(part / "characters.json", about)
        sizes = {
            "model": _bytes(part, "model.*"),
            "strokes": _bytes(part, "strokes.bin") + _bytes(part, "characters.json"),
            "page": page,
        }
        _copy_runtime(root / "demo/node_modules/onnxruntime-web/dist", part / "ort")
        sizes["runtime"] = _bytes(part / "ort")
        notice = _notice(root, [source["credit"] for source in about["sources"]])
        if settings["version"]:
            notice += f"\n{shipped.file('LICENSE').read_text('utf-8')}"
        (part / "NOTICE.txt").write_text(notice, "utf-8")
    return sizes


def _copy_runtime(source: Path, target: Path) -> None:
    target.mkdir()
    for name in RUNTIME:
        if not (source / name).is_file():
            raise DataError(
                f"{source / name}: expected ONNX Runtime Web, found no file; `npm ci` in demo/ "
                "brings it"
            )
        shutil.copy2(source / name, target)


def alphabets(classes: str) -> dict[str, str]:
    """Of each named alphabet the characters that are classes."""
    return {
        name: "".join(c for c in characters if c in classes)
        for name, characters in charset.alphabets().items()
    }


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
    """The project's export that the page is made for, or the larger one that every architecture
    has; the one that ships where it has neither."""
    export = next((root / n for n in (COMPACT, FALLBACK) if (root / n).is_file()), None)
    if export is None and not shipped.about():
        raise DataError(
            f"{root / COMPACT}: expected an export, found no file, nor {FALLBACK}, nor one that "
            "ships; `dvc exp run -S model=compact` makes the first, `dvc repro` the second, "
            "--model names another"
        )
    return export or shipped.model()


def strokes_for(root: Path, model: Path) -> tuple[bytes, dict]:
    """strokes.bin and what characters.json says: what ships with the model, or of the project's
    table of characters, which needs pandas and OpenCV."""
    table = root / "data/characters.parquet"
    ships = shipped.FOLDER / shipped.STROKES
    if ships.is_file() and (model.resolve().parent == shipped.FOLDER or not table.is_file()):
        about = (shipped.FOLDER / shipped.CHARACTERS).read_text("utf-8")
        return ships.read_bytes(), json.loads(about)
    if not table.is_file():
        raise DataError(
            f"{table}: expected the table of characters, found no file; `dvc repro characters` "
            "makes it"
        )
    # Only here: the package does without.
    import pandas as pd

    from kakitori.results import packing

    return packing.pack(pd.read_parquet(table), root / "data/external/kanjivg.zip")


def _notice(root: Path, credits: list[str]) -> str:
    licence = (root / "LICENSE").read_text("utf-8")
    terms = licence.split("\n\n", 2)[2]
    strokes = "\n".join(f"    {credit}" for credit in credits)
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
            servable = meant.is_relative_to(folder) and meant.is_file()
        except (OSError, RuntimeError, ValueError):  # links in a circle, names that cannot be
            servable = False
        return str(meant) if servable else ""

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
