"""Where the strokes of a character lie in an image of it, which keeps no record of them.

An approximation: the reference's strokes are stretched to the ink's bounding box, each is moved
onto the ink that is nearest to it, and every pixel of ink belongs to the stroke that it is then
nearest to. tests/benchmarks/explanation.py says how often that is the right one. Needs NumPy alone.
"""

import numpy as np

from kakitori.reading.normalising.images import span

INK = 128  # of 255: what counts as ink
POINTS = 12  # of a course, enough for a bend
ROUNDS = 4  # of moving strokes onto their ink
FLAT = 0.15  # of the longer side: a shorter one (一) is not stretched


def placed(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Courses (strokes, P, 2), x and y in image sides, of strokes that pass through so many points
    each, stretched to the bounding box of the ink of an image uint8 (S, S); to the whole image
    where there is no ink."""
    dark = image >= INK
    (top, left), (bottom, right) = (
        [span(dark.any(axis)[None])[end][0] / len(image) for axis in (1, 0)] for end in (0, 1)
    )
    low, high = np.array([left, top]), np.array([right, bottom])
    first, last = points.min((0, 1)), points.max((0, 1))
    extent, room = np.maximum(last - first, 1e-6), high - low
    scale = np.where(extent > FLAT * extent.max(), room / extent, room.max() / extent.max())
    return (points - (first + last) / 2) * scale + (low + high) / 2


def fitted(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The same, each stroke moved, in turns with finding its ink anew (iterative closest points,
    Besl and McKay 1992, with shifts alone)."""
    courses = placed(points, image)
    y, x = np.nonzero(image >= INK)
    ink = (np.stack([x, y], 1) + 0.5) / len(image)
    for _ in range(ROUNDS):
        offsets = _offsets(courses, ink)
        own = np.linalg.norm(offsets, axis=2).argmin(0)
        for number in np.unique(own):
            courses[number] += offsets[number, own == number].mean(0)
    return courses


def stroke_of_pixels(courses: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The number from 1 of the course that is nearest to each pixel that is not quite paper, 0 for
    paper: uint8 (S, S)."""
    nearest = distances(courses, len(image)).argmin(0) + 1
    return np.where(image > 0, nearest, 0).astype(np.uint8)


def distances(courses: np.ndarray, size: int) -> np.ndarray:
    """How far each pixel's middle is from each course, in image sides: (strokes, size, size)."""
    at = (np.arange(size) + 0.5) / size
    pixels = np.stack(np.meshgrid(at, at, indexing="xy"), -1).reshape(-1, 2)
    return np.linalg.norm(_offsets(courses, pixels), axis=2).reshape(-1, size, size)


def _offsets(courses: np.ndarray, places: np.ndarray) -> np.ndarray:
    """From the nearest point of each course to each place (M, 2): (strokes, M, 2)."""
    start, way = courses[:, :-1, None], np.diff(courses, axis=1)[:, :, None]
    along = ((places - start) * way).sum(-1) / np.maximum((way**2).sum(-1), 1e-12)
    offsets = places - (start + np.clip(along, 0, 1)[..., None] * way)
    nearest = np.linalg.norm(offsets, axis=-1).argmin(1)
    return np.take_along_axis(offsets, nearest[:, None, :, None], 1)[:, 0]
