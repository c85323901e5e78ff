"""Drawings with what is to be said of them: cases that Python and the page share."""

import json
from pathlib import Path

FILE = json.loads((Path(__file__).parent / "cases/matching.json").read_text("utf-8"))
REFERENCES = FILE["references"]
