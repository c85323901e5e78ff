"""Records of the ETL Character Database as bytes: one table of layouts, one decoder per packing.

A *layout* says where a record keeps its fields and its image. Everything that differs between the
seven kinds of record is in the table.
"""

import dataclasses

import cv2
import numpy as np

Field = tuple[str, int, int]  # kind (u: unsigned, a: ASCII, t: T56 text), first bit, bits


@dataclasses.dataclass(frozen=True)
class Layout:
    """One kind of record. Integers are big-endian, bits stand most significant first."""

    record: int  # bytes
    fields: dict[str, Field]
    image: int  # offset in bytes
    width: int
    height: int
    bits: int  # per pixel

    @property
    def packed(self) -> slice:
        """Where the image's bytes are in a record."""
        return slice(self.image, self.image + self.width * self.height * self.bits // 8)


def _bytes(kind: str, offset: int, length: int) -> Field:
    return kind, 8 * offset, 8 * length


def _sixes(number: int) -> tuple[int, int]:
    """The number-th of the C-type's fields, six characters of six bits each."""
    return 36 * number, 36


_G = {
    "sheet": _bytes("u", 0, 2),
    "code": _bytes("u", 2, 2),
    "reading": _bytes("a", 4, 8),
    "serial": _bytes("u", 12, 4),
    "quality": _bytes("u", 16, 1),
    "group_quality": _bytes("u", 17, 1),
    "sex": _bytes("u", 18, 1),
    "age": _bytes("u", 19, 1),
    "industry": _bytes("u", 20, 2),
    "occupation": _bytes("u", 22, 2),
    "collected": _bytes("u", 24, 2),
    "scanned": _bytes("u", 26, 2),
    "x": _bytes("u", 28, 1),
    "y": _bytes("u", 29, 1),
}
_B = {
    "sheet": _bytes("u", 0, 2),
    "code": _bytes("u", 2, 2),
    "reading": _bytes("a", 4, 4),
}
# The official form sheets form_m, form_c, form_k, form_e8b, form_e8g, form_e9b and form_e9g.
LAYOUTS = {
    "M": Layout(
        record=2052,
        fields={
            "number": _bytes("u", 0, 2),
            "mnemonic": _bytes("a", 2, 2),
            "sheet": _bytes("u", 4, 2),
            "code": _bytes("u", 6, 1),
            "ebcdic": _bytes("u", 7, 1),
            "quality": _bytes("u", 8, 1),
            "group_quality": _bytes("u", 9, 1),
            "sex": _bytes("u", 10, 1),
            "age": _bytes("u", 11, 1),
            "serial": _bytes("u", 12, 4),
            "industry": _bytes("u", 16, 2),
            "occupation": _bytes("u", 18, 2),
            "collected": _bytes("u", 20, 2),
            "scanned": _bytes("u", 22, 2),
            "y": _bytes("u", 24, 1),
            "x": _bytes("u", 25, 1),
            "lowest": _bytes("u", 26, 1),
            "highest": _bytes("u", 27, 1),
        },
        image=32,
        width=64,
        height=63,
        bits=4,
    ),
    "C": Layout(
        record=2952,
        fields={
            "serial": ("u", *_sixes(0)),
            "sheet": ("u", *_sixes(1)),
            "code": ("u", 72, 8),
            "ebcdic": ("u", 108, 8),
            "mnemonic": ("t", 144, 24),
            "quality": ("u", *_sixes(5)),
            "group_quality": ("u", *_sixes(6)),
            "y": ("u", *_sixes(7)),
            "x": ("u", *_sixes(8)),
            "sex": ("u", *_sixes(9)),
            "age": ("u", *_sixes(10)),
            "industry": ("u", *_sixes(11)),
            "occupation": ("u", *_sixes(12)),
            "collected": ("u", *_sixes(13)),
            "scanned": ("u", *_sixes(14)),
            "x_samples": ("u", *_sixes(15)),
            "y_samples": ("u", *_sixes(16)),
            "levels": ("u", *_sixes(17)),
            "magnification": ("u", *_sixes(18)),
            "old_serial": ("u", *_sixes(19)),
        },
        image=216,
        width=72,
        height=76,
        bits=4,
    ),
    "K": Layout(
        record=2745,
        fields={
            "serial": ("u", 0, 36),
            "mark": ("t", 36, 6),
            "contents": ("t", 72, 36),
            "style": ("t", 108, 36),
            "code": ("u", 168, 12),
        },
        image=45,
        width=60,
        height=60,
        bits=6,
    ),
    "B8": Layout(record=512, fields=_B, image=8, width=64, height=63, bits=1),
    "B9": Layout(record=576, fields=_B, image=8, width=64, height=63, bits=1),
    "G8": Layout(record=8199, fields=_G, image=60, width=128, height=127, bits=4),
    # Not at ETL8G's 60: that would shift the picture by eight pixels and wrap its rows.
    "G9": Layout(record=8199, fields=_G, image=64, width=128, height=127, bits=4),
}

# T56, a six-bit code of Hitachi tapes (official unpacking script); some places hold a second space.
T56 = "0123456789[#@:>? ABCDEFGHI&.](<  JKLMNOPQR-$*);'|/STUVWXYZ ,%=\"!"


def field(raw: np.ndarray, layout: Layout, name: str) -> np.ndarray:
    """One field of records uint8 (N, record): int64 (N,), or text as bytes (N,)."""
    kind, first, bits = layout.fields[name]
    if kind == "u":
        return _unsigned(raw, first, bits)
    if kind == "a":
        text = np.ascontiguousarray(raw[:, first // 8 : (first + bits) // 8])
        return text.view(f"S{bits // 8}")[:, 0]
    sixes = np.stack([_unsigned(raw, first + k, 6) for k in range(0, bits, 6)], 1)
    table = np.frombuffer(T56.encode(), np.uint8)
    return np.ascontiguousarray(table[sixes]).view(f"S{bits // 6}")[:, 0]


def _unsigned(raw: np.ndarray, first: int, bits: int) -> np.ndarray:
    start, stop = first // 8, (first + bits + 7) // 8
    value = np.zeros(len(raw), np.int64)
    for k in range(start, stop):
        value = value << 8 | raw[:, k]
    return value >> (8 * stop - first - bits) & (1 << bits) - 1


def put(raw: np.ndarray, layout: Layout, name: str, values: np.ndarray | int | list) -> None:
    """Write a field into records uint8 (N, record) whose bits are still zero there.

    Text is cut or padded with spaces to the field's length.
    """
    kind, first, bits = layout.fields[name]
    step = {"u": bits, "a": 8, "t": 6}[kind]
    if kind == "u":
        columns = [np.broadcast_to(np.asarray(values, np.int64), len(raw))]
    else:
        count = bits // step
        texts = [text.ljust(count)[:count] for text in values]
        codes = ord if kind == "a" else T56.index
        columns = [np.array([codes(t[k]) for t in texts], np.int64) for k in range(count)]
    for n, column in enumerate(columns):
        begin = first + n * step
        stop = (begin + step + 7) // 8
        shifted = column << (8 * stop - begin - step)
        for k in range(stop - 1, begin // 8 - 1, -1):
            raw[:, k] |= (shifted & 0xFF).astype(np.uint8)
            shifted = shifted >> 8


def decode(packed: np.ndarray, layout: Layout) -> np.ndarray:
    """Image bytes (N, packed) to ink, uint8 (N, height, width), 0 = paper, 255 = full ink."""
    if layout.bits == 1:
        pixels = np.unpackbits(packed, axis=1) * np.uint8(255)
    elif layout.bits == 4:
        pixels = np.empty((*packed.shape, 2), np.uint8)
        np.multiply(packed >> 4, 17, out=pixels[..., 0])
        np.multiply(packed & 0x0F, 17, out=pixels[..., 1])
    else:
        a, b, c = (packed[:, k::3] for k in range(3))
        sixes = np.stack([a >> 2, a << 4 & 0x30 | b >> 4, b << 2 & 0x3C | c >> 6, c & 0x3F], -1)
        pixels = _SIX_BITS[sixes]
    return pixels.reshape(len(packed), layout.height, layout.width)


_SIX_BITS = np.round(np.arange(64) * 255 / 63).astype(np.uint8)
# Half the mean of a byte's two pixels as 8-bit ink: two rows of it add up to the mean of four.
_HALF_MEAN = np.array([((b >> 4) + (b & 15)) * 17 / 4 + 0.25 for b in range(256)], np.uint8)


def decode_halved(packed: np.ndarray, layout: Layout) -> np.ndarray:
    """Like `decode` for 4-bit images, at half the resolution: means of 2×2 pixels,
    (N, ⌈height/2⌉, width/2).

    An odd last row stands for its missing neighbour. One table look-up per byte does half of the
    work, which is why this is not `decode` and a mean.
    """
    rows = cv2.LUT(packed.reshape(-1, packed.shape[1]), _HALF_MEAN)
    rows = rows.reshape(len(packed), layout.height, layout.width // 2)
    even = layout.height // 2 * 2
    halved = np.empty((len(packed), (layout.height + 1) // 2, layout.width // 2), np.uint8)
    np.add(rows[:, 0:even:2], rows[:, 1:even:2], out=halved[:, : even // 2])
    halved[:, even // 2 :] = 2 * rows[:, even:]
    return halved


def encode(levels: np.ndarray, layout: Layout) -> np.ndarray:
    """Scanner levels (N, height, width), below 2 to the power of the layout's bits, to image bytes
    (N, packed)."""
    flat = levels.reshape(len(levels), -1).astype(np.uint8)
    if layout.bits == 1:
        return np.packbits(flat, axis=1)
    if layout.bits == 4:
        return flat[:, 0::2] << 4 | flat[:, 1::2]
    a, b, c, d = (flat[:, k::4] for k in range(4))
    return np.stack([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d], -1).reshape(len(flat), -1)


def pack(
    layout: Layout, levels: np.ndarray, values: dict[str, np.ndarray | int | list]
) -> np.ndarray:
    """Records uint8 (N, record) with these images, scanner levels (N, height, width), and fields;
    every other bit is zero."""
    raw = np.zeros((len(levels), layout.record), np.uint8)
    raw[:, layout.packed] = encode(levels, layout)
    for name, value in values.items():
        put(raw, layout, name, value)
    return raw
