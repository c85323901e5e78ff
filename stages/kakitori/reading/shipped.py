"""The model that ships with the package, and what is known of it; `stages/release.py` writes both.

model.onnx   INT8; class list, size, temperature and threshold in its metadata
model.json   how it came about: settings, data, commit, figures, licence, SHA-256 of the file
strokes.bin, characters.json   how the characters are written: `reference.unpack`
LICENSE      whose all this is
"""

import hashlib
import json
from importlib import metadata
from pathlib import Path

from kakitori.errors import DataError, is_shortage

FOLDER = Path(__file__).parent / "model"
MODEL, ABOUT = "model.onnx", "model.json"
STROKES, CHARACTERS = "strokes.bin", "characters.json"


def model() -> Path:
    """The shipped model; DataError where there is none, or another than model.json is about."""
    path, expected = file(MODEL), about().get("sha256")
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != expected:
        raise DataError(
            f"{path}: expected the file that {ABOUT} is about (SHA-256 {str(expected)[:12]}…), "
            f"found {digest[:12]}…; install Kakitori anew"
        )
    return path


def file(name: str) -> Path:
    """A file that ships with the model; DataError where none does."""
    path = FOLDER / name
    if not path.is_file():
        raise DataError(
            f"{path}: expected what ships with Kakitori, found no file: this copy was built "
            'without a model; name an export of your own (--model, Recognizer("int8.onnx")), which '
            "`make repro` of a checkout makes"
        )
    return path


def about() -> dict:
    """What model.json says; {} where no model ships."""
    path = FOLDER / ABOUT
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        if is_shortage(error):
            raise
        raise DataError(f"{path}: expected JSON about the model, found: {error}") from None


def version() -> str:
    """The version of the package and of the model that ships with it, in one line."""
    try:
        package = metadata.version("kakitori")
    except metadata.PackageNotFoundError:
        package = "(a checkout)"
    description = about()
    if not description:
        return f"kakitori {package}, without a model"
    return (
        f"kakitori {package}, model {description['model']} of {description['classes']:,} "
        f"characters, commit {description['commit'][:12]}, data "
        f"{description['dataset']['fingerprint']}"
    )
