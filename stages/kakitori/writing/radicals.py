"""What characters are made of.

KRADFILE lists the visual components of each kanji (© Electronic Dictionary Research and
Development Group; the package jamdict carries it).
"""

import functools


@functools.cache
def _components() -> dict[str, list[str]]:
    from jamdict.krad import KRad

    return KRad().krad


def kradfile(character: str) -> list[str]:
    """The components of a kanji in KRADFILE's order; any other character is its own."""
    return list(_components().get(character, [character]))
