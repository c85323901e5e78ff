"""UNIPEN files, written by hand."""

CROSS = [[(0, 32), (64, 32)], [(32, 0), (32, 40), (34, 64)]]
LEVEL = [[(0, 32), (60, 30)]]
HEAD = """.VERSION 1.0
.DATA_SOURCE a test
.COMMENT words that end
  .with dots, and numbers 1 2 3
.X_DIM 640
.X_POINTS_PER_INCH 500
.HIERARCHY TEXT CHARACTER
"""


def block(strokes, up: bool = False, flip: bool = False, extra: str = "") -> str:
    """Pen streams as the tools write them, with or without the pen's way between strokes."""
    lines = []
    for k, stroke in enumerate(strokes):
        lines.append(".PEN_DOWN")
        lines += [f"{x} {-y if flip else y}{extra}" for x, y in stroke]
        lines.append(".PEN_UP")
        if up and k < len(strokes) - 1:
            lines += [f"{x} {y}{extra}" for x, y in [(5, 5), (6, 6)]]
    return "\n".join(lines) + "\n"
