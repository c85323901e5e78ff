"""Recognisers of handwritten Japanese characters.

from kakitori import Recognizer

print(Recognizer().read("photo.png"))
"""

import importlib
import os

# The wheels of ONNX Runtime (1.31.1) tell its makers on the network what is run, unless this stands
# before they are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


# What people import, and where it is.
PUBLIC = {
    "Recognizer": "kakitori.reading.recognizer",
    "drawing": "kakitori.reading.matching.drawing",
    "matching": "kakitori.reading.matching",
    "rendering": "kakitori.reading.normalising.rendering",
}


def __getattr__(name: str) -> object:
    # Only when it is asked for: ONNX Runtime takes a while to import, and stages do without.
    if name in PUBLIC:
        module = importlib.import_module(PUBLIC[name])
        return getattr(module, name) if name == "Recognizer" else module
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
