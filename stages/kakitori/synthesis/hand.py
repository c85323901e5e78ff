"""One writer's habits, drawn once."""

import dataclasses
from typing import NamedTuple

import numpy as np

from kakitori.reading.characters.strokes import TYPES
from kakitori.synthesis.running import Running
from kakitori.synthesis.table import PARTS

CURSIVE = 0.3  # at least so often the pen of who writes semi-cursively stays down between strokes


@dataclasses.dataclass(frozen=True)
class Hand:
    """One writer's habits. Lengths are fractions of the character's square, angles radians."""

    slant: float  # horizontal shear; positive leans right
    rise: float  # vertical shear: horizontals that climb to the right
    rotation: float
    aspect: float  # log of width over height
    size: float  # of the frame
    kana_size: float  # of kana, beside that of kanji
    centre: np.ndarray  # (2,) shift of the character in its frame
    pen: float  # width in pixels of the scan
    nib: np.ndarray  # (2,) angle of a broad nib, and its thickness over its width
    pressure: float  # spread of the width from stroke to stroke
    taper: np.ndarray  # (2,) change of the width at a stroke's start and end
    flair: float  # how much thinner or thicker strokes end by their kind
    brushwork: float  # how far widths follow the model's, where it was written with a brush
    contrast: float  # power of the widths: thin places of a brush are thinner, thick ones thicker
    waist: float  # how much thinner strokes are half-way than where a brush is set down and lifted
    pulse: float  # how unevenly (log) a brush is pressed within a stroke, thrice so at its ends
    lifted: float  # of a stroke's greatest width: where it would be thinner, it leaves no ink
    unsteadiness: float  # scale of the noise per stroke
    warp: np.ndarray  # (4, 4, 2) displacements of a grid over the square, the same on every page
    looseness: float  # the same kind of warp, anew for each character
    bow: float  # common curvature of this writer's strokes
    kinds: np.ndarray  # (types, 4) turn, two log scales and bow of each type of stroke
    parts: np.ndarray  # (PARTS, 4) two log scales and a shift of each component
    sides: np.ndarray  # (5, 4) the same of a character's left, right, upper and lower half
    overshoot: float  # strokes end later (or sooner) than the model's
    brevity: float  # log of how long strokes are, beside the size of the character
    closing: float  # how far ends follow the stroke that they should end on
    gap: float  # by how much they stay short of it, or pass it where it is negative
    breaks: float  # how far a bent stroke's two halves pass its corner, where each is drawn alone
    serifs: float  # short lines across a stroke's ends, as print has them
    steps: float  # between the places that a screen tells apart where one is drawn on; 0 for paper
    bare: float  # chance that a stroke begins without the small hook of a brush
    hook: float  # chance that a stroke ends in a flick
    rounding: float  # sigma of the filter that rounds corners
    joining: float  # chance that the pen stays down between two near strokes
    reach: float  # how far apart these may be
    link: float  # width of the path between them, beside the strokes'
    flow: float  # how far a stroke's end bends towards the next one's start
    runs_on: bool  # さ and き in one stroke less, り and こ with a link
    running: Running | None  # forms of a hand in a hurry; None writes all strokes as taught
    swaps: float  # chance that a stroke is written after the next one
    darkness: float  # ink level, 0–1
    grain: float  # unevenness of the ink, 0–1
    bleed: float  # sigma in pixels by which ink creeps into the paper
    blur: float  # sigma in pixels of the scan
    harden: float  # how far the scanner pushes grey to paper or ink
    noise: float  # of the scanner, in levels
    specks: float  # dark specks a character
    paper: float  # background, in levels

    @classmethod
    def draw(cls, rng: np.random.Generator, preset: str = "varied") -> "Hand":
        """A writer of a preset: `plain`, who writes as taught with a fine pen; `varied`, anyone who
        can write; `learners`, the same writers, some of whom are only learning to; `hard`, whose
        hand is hurried and whose pen and scanner are bad."""
        if preset == "learners":
            hand = cls.draw(rng, "varied")
            return _learning(hand, rng.spawn(1)[0])
        # Some write as in print, some far from it.
        far = rng.choice(
            {"plain": [0.4, 0.5], "varied": [0.6, 0.8, 1.0], "hard": [1.1, 1.4]}[preset]
        )
        kinds = {"plain": [0.6, 0.4, 0, 0], "hard": [0.2, 0.2, 0.25, 0.35]}
        shares = kinds.get(preset, [0.3, 0.2, 0.2, 0.3])
        pen = rng.choice(["ballpoint", "pencil", "felt", "brush"], p=shares)
        # One in three writes semi-cursively: strokes flow into each other and lose their corners.
        cursive = rng.random() < {"plain": 0.0, "varied": 0.35, "hard": 0.6}[preset]
        widths = {"ballpoint": (2.2, 3.8), "pencil": (2.6, 5.0), "felt": (5.5, 11.0)}
        low, high = widths.get(pen, (2.6, 7.5))
        brush, felt = bool(pen == "brush"), bool(pen == "felt")
        nib = [rng.normal(0.3, 0.35), rng.uniform(0.35, 0.8)] if brush else [0.0, 1.0]
        if felt and rng.random() < 0.5:
            nib = [rng.normal(0.2, 0.4), rng.uniform(0.7, 1.0)]
        touch = _touch(rng.spawn(1)[0], preset, brush)
        return cls(
            slant=rng.normal(0.0, 0.09 * far),
            rise=rng.normal(0.05, 0.05 * far),
            rotation=rng.normal(0.0, 0.04 * far),
            aspect=rng.normal(-0.03, 0.10 * far),
            size=rng.uniform(0.72, 0.98),
            kana_size=rng.uniform(0.75, 1.0),
            centre=rng.normal(0.0, 0.02 * far, 2),
            pen=np.exp(rng.uniform(np.log(low), np.log(high))),
            nib=np.array(nib),
            pressure=max(touch.pressure, rng.uniform(0.05, 0.20)),
            taper=rng.uniform([-0.35, -0.5], [0.45, 0.25]) * (0.3 if felt else 1.0),
            flair=rng.uniform(0.3, 0.9) if brush else rng.choice([0.0, 0.15, 0.4]) * (not felt),
            brushwork=rng.uniform(0.5, 1.3) if brush else rng.uniform(0.0, 0.5 if felt else 0.3),
            contrast=touch.contrast,
            waist=touch.waist,
            pulse=touch.pulse,
            lifted=touch.lifted,
            unsteadiness=rng.uniform(0.010, 0.040) * far,
            warp=rng.normal(0.0, 0.025 * far, (4, 4, 2)),
            looseness=rng.uniform(0.010, 0.030) * far,
            bow=rng.normal(0.0, 0.02 * far),
            kinds=rng.normal(0.0, far * np.array([0.055, 0.08, 0.08, 0.03]), (len(TYPES), 4)),
            parts=rng.normal(0.0, far * np.array([0.08, 0.08, 0.022, 0.022]), (PARTS, 4)),
            sides=rng.normal(0.0, far * np.array([0.09, 0.10, 0.025, 0.025]), (5, 4)),
            overshoot=rng.normal(0.0, 0.015 * far),
            brevity=rng.normal(-0.06, 0.06) * far,
            closing=rng.uniform(0.4, 1.0),
            gap=max(touch.gap, rng.choice([0.0, rng.uniform(0.005, 0.045)]) * far),
            breaks=0.0,  # learners alone, like serifs
            serifs=0.0,
            steps=0.0,
            bare=rng.choice([0.2, 0.6, 1.0]),
            hook=rng.choice([0.0, 0.05], p=[0.7, 0.3]),
            rounding=rng.uniform(0.035, 0.065) if cursive else rng.uniform(0.005, 0.045),
            joining=rng.uniform(CURSIVE, 0.75)
            if cursive
            else rng.choice([0.0, 0.15], p=[0.65, 0.35]),
            reach=rng.uniform(0.3, 0.6) if cursive else 0.3,
            link=rng.uniform(0.35, 1.0),
            flow=rng.uniform(0.15, 0.5) if cursive else rng.choice([0.0, 0.1]),
            runs_on=bool(rng.random() < {"plain": 0.3, "varied": 0.5, "hard": 0.7}[preset]),
            running=_running(rng.spawn(1)[0], preset, cursive, brush),
            swaps=rng.choice([0.0, 0.03]),
            darkness=rng.uniform(0.55, 1.0),
            grain=max(
                touch.grain, rng.uniform(0.2, 0.6) if pen == "pencil" else rng.choice([0.0, 0.15])
            ),
            bleed=rng.choice([0.0, 0.7], p=[0.8, 0.2]) if felt or brush else 0.0,
            blur=rng.uniform(0.0, 0.9),
            harden=rng.choice([0.0, 0.8], p=[0.8, 0.2]),
            noise=rng.uniform(0.0, 0.6) * far,
            specks=rng.choice([0.0, 0.3 * far], p=[0.85, 0.15]),
            paper=rng.uniform(0.0, 1.5),
        )

    @classmethod
    def printed(cls) -> "Hand":
        """The hand of no one: even strokes where the model has them, for printed models."""
        zeros = {
            field.name: 0.0 for field in dataclasses.fields(cls) if field.type in (float, "float")
        }
        return cls(
            **zeros
            | {
                "size": 0.9,
                "kana_size": 1.0,
                "pen": 4.5,
                "darkness": 1.0,
                "link": 1.0,
                "reach": 0.3,
                "contrast": 1.0,
            },
            centre=np.zeros(2),
            nib=np.array([0.0, 1.0]),
            taper=np.zeros(2),
            runs_on=False,
            running=None,
            warp=np.zeros((4, 4, 2)),
            kinds=np.zeros((len(TYPES), 4)),
            parts=np.zeros((PARTS, 4)),
            sides=np.zeros((5, 4)),
        )


class _Touch(NamedTuple):
    """How a soft brush answers to the hand: habits of Hand's names, or the least that they are.
    The defaults are other pens'."""

    contrast: float = 1.0
    waist: float = 0.0
    grain: float = 0.0
    pressure: float = 0.0
    pulse: float = 0.0
    lifted: float = 0.0
    gap: float = 0.0


def _touch(rng: np.random.Generator, preset: str, brush: bool) -> _Touch:
    """A brush's; those of `hard` are frozen."""
    if not brush or preset != "varied":
        return _Touch()
    return _Touch(
        grain=rng.choice([0.0, rng.uniform(0.15, 0.5)], p=[0.6, 0.4]),
        contrast=np.exp(rng.uniform(0.0, np.log(2.5))),
        waist=rng.uniform(0.0, 0.5),
        pressure=rng.uniform(0.1, 0.4),
        pulse=rng.uniform(0.05, 0.35),
        lifted=rng.choice([0.0, rng.uniform(0.1, 0.35)]),
        gap=rng.choice([0.0, rng.uniform(0.03, 0.09)], p=[0.6, 0.4]),
    )


def _learning(hand: Hand, rng: np.random.Generator) -> Hand:
    """A hand, or what has become of it where its writer has not learned to write by hand, and never
    in 行書: who joins strokes has. Half of the others pass, at either end, the stroke that it
    should end on, and half of these draw the two sides of a corner as two strokes; two in five copy
    the serifs of print. One in three, of whichever kind, draws on a screen."""
    passes, copies, screen = rng.random(3) < [0.5, 0.4, 1 / 3]
    habits: dict[str, float] = {}
    if passes:
        habits = {"gap": -rng.uniform(0.02, 0.09), "closing": 1.0}
        habits["breaks"] = rng.choice([0.0, rng.uniform(0.02, 0.09)])
    if copies:
        habits["serifs"] = rng.uniform(0.03, 0.12)
    if habits and hand.joining < CURSIVE:
        rounding = min(hand.rounding, 0.02)
        hand = dataclasses.replace(
            hand, **habits, rounding=rounding, joining=0.0, flow=0.0, running=None
        )
    return _on_screen(hand, rng) if screen else hand


def _on_screen(hand: Hand, rng: np.random.Generator) -> Hand:
    """The hand with a mouse or a finger: a line of one width and level, from one place to the next
    that the screen tells apart, and no paper."""
    even = dict.fromkeys(("pressure", "flair", "brushwork", "waist", "pulse", "lifted"), 0.0)
    clean = dict.fromkeys(("grain", "bleed", "noise", "specks", "paper"), 0.0)
    return dataclasses.replace(
        hand,
        **even,
        **clean,
        contrast=1.0,
        taper=np.zeros(2),
        nib=np.array([0.0, 1.0]),
        pen=np.exp(rng.uniform(np.log(2.5), np.log(8.0))),
        steps=np.exp(rng.uniform(np.log(0.004), np.log(0.02))),
        darkness=1.0,
        blur=rng.uniform(0.0, 0.6),
    )


def _running(rng: np.random.Generator, preset: str, cursive: bool, brush: bool) -> Running | None:
    """Habits of running forms: most of them a cursive writer's, few another's, none where all is
    written as taught; nor those of `hard`, which are frozen."""
    if preset != "varied":
        return None
    extent = rng.uniform(0.5, 1.0) if cursive else rng.choice([0.0, rng.uniform(0.05, 0.3)])
    return Running.draw(rng, extent, brush) if extent else None
