"""KanjiVG files: the official ones, and small ones written by hand."""

import zipfile
from pathlib import Path

from kakitori.writing import kanjivg

OFFICIAL = kanjivg.release(Path("no archive"))
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE svg [<!ATTLIST g xmlns:kvg CDATA #FIXED "http://kanjivg.tagaini.net">%s]>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 109 109">
<g id="kvg:StrokePaths_05341"><g id="kvg:05341" kvg:element="十">%s</g></g>
<g id="kvg:StrokeNumbers_05341"><text>1</text></g></svg>"""
LEVEL = '<path id="kvg:05341-s1" kvg:type="㇐a/㇀" d="M10,54.5h90"/>'
UPRIGHT = '<path id="kvg:05341-s2" kvg:type="㇑" d="M54.5,10c0,30,0,60,0,90"/>'


def archive(folder: Path, *members: tuple[str, str]) -> Path:
    path = folder / "kanjivg.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members:
            bundle.writestr(name, content)
    return path
