"""Distortions of a whole batch at once, on the device that trains.

Never flips: 人 and 入, し and J tell why.
"""

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F

from kakitori.running.params import Augment

KNOTS = 5  # a side of the grid that elastic distortions move
PIECES, LINES = 0.4, 0.4  # shares of what is no character; the rest are rows of small ones
PENS = (0.5, 3.0)  # half of a line's width in pixels, from thinnest to thickest


@dataclasses.dataclass(frozen=True)
class Draws:
    """Random numbers for the rows of a batch that one process has: drawn for the whole batch, so
    that they do not depend on how many processes share it.

    generator : where they come from.
    batch : images in the whole batch.
    rows : those that this process has; all of them by default.
    """

    generator: torch.Generator
    batch: int
    rows: slice | None = None

    def normal(self, *shape: int) -> torch.Tensor:
        """Standard normal, float (rows, *shape)."""
        drawn = torch.randn(
            (self.batch, *shape), generator=self.generator, device=self.generator.device
        )
        return drawn if self.rows is None else drawn[self.rows]

    def uniform(self, *shape: int) -> torch.Tensor:
        """Between 0 and 1, float (rows, *shape)."""
        drawn = torch.rand(
            (self.batch, *shape), generator=self.generator, device=self.generator.device
        )
        return drawn if self.rows is None else drawn[self.rows]

    def chosen(self, share: float) -> torch.Tensor:
        """Whether a distortion of so large a share falls upon a row, bool (rows, 1, 1, 1)."""
        return self.uniform(1, 1, 1) < share


class Augmenter:
    """Geometric, morphological and photometric distortions, drawn anew for every image.

    One field of displacements (affine and elastic together) is sampled once, so that an image is
    interpolated once however many distortions there are.
    """

    def __init__(self, settings: Augment, size: int, device: torch.device) -> None:
        self.settings = settings
        axis = (torch.arange(size, device=device, dtype=torch.float32) * 2 + 1) / size - 1
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        # A displacement is a sum of x, y, 1 and of what each knot of the elastic grid bends.
        unit = torch.eye(KNOTS**2, device=device).view(-1, 1, KNOTS, KNOTS)
        bent = F.interpolate(unit, size, mode="bicubic", align_corners=True)
        self.terms = torch.stack([x, y, torch.ones_like(x), *bent[:, 0]], -1).flatten(0, 1)
        self.size = size

    def __call__(
        self,
        images: torch.Tensor,
        draws: Draws,
        strength: torch.Tensor | None = None,
        layers: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Distort ink images.

        Parameters
        ----------
        images : uint8 (B, 1, S, S).
        strength : float (B,), how much farther than the settings say each image is moved and bent.
        layers : uint8 (B, 1, S, S), moved and bent like the images.

        Returns
        -------
        Images float (B, 1, S, S) in [-1, 1], and the layers.
        """
        s = self.settings
        ink = images.float() / 255
        for share, kernel in ((s.thicken, 3), (s.thicken_more, 5)):
            if share:
                ink = _some(ink, draws.chosen(share), _thickened, kernel)
        if s.thin:
            ink = _some(ink, draws.chosen(s.thin), _thinned)
        field = self._field(draws, strength)
        ink = F.grid_sample(ink, field, mode="bilinear", align_corners=False)
        if layers is not None:
            moved = F.grid_sample(layers.float(), field, mode="nearest", align_corners=False)
            layers = moved.to(torch.uint8)
        if s.erase:
            chosen = draws.chosen(s.erase)
            ink = ink.masked_fill(self._rectangle(draws) & chosen, 0)
        if s.blur:
            ink = _some(ink, draws.chosen(s.blur), _blurred)
        gain = 1 + s.contrast * draws.normal(1, 1, 1)
        offset = s.brightness * draws.normal(1, 1, 1)
        ink = ink * gain.clamp(min=0.3) + offset.clamp(min=0)
        if s.noise:
            level = s.noise * draws.uniform(1, 1, 1)
            ink = ink + level * draws.normal(1, self.size, self.size)
        return ink.clamp_(0, 1) * 2 - 1, layers

    def mix(
        self, images: torch.Tensor, labels: torch.Tensor, draws: Draws
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Mix some images with others of this process's rows.

        mixup (Zhang et al. 2018) overlays up to half of another image; cutmix (Yun et al. 2019)
        takes a rectangle of it.

        Returns
        -------
        Images; the other classes int64 (B,) and their share of each image float (B,), None where
        neither is wanted.
        """
        s = self.settings
        if not (s.mixup or s.cutmix):
            return images, None, None
        other, others = images.roll(1, 0), labels.roll(1, 0)
        share = torch.zeros(len(images), 1, 1, 1, device=images.device)
        if s.mixup:
            chosen = draws.chosen(s.mixup)
            share = chosen * draws.uniform(1, 1, 1) / 2
            images = torch.lerp(images, other, share)
        if s.cutmix:
            chosen = draws.chosen(s.cutmix)
            inside = self._rectangle(draws) & chosen & (share == 0)  # not on top of the other
            images = torch.where(inside, other, images)
            share = share + inside.float().mean((1, 2, 3), keepdim=True)
        return images, others, share.flatten()

    def nothing(
        self,
        images: torch.Tensor,
        others: Callable[[int, torch.Tensor], torch.Tensor],
        draws: Draws,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make what is no character of some: corners of four others put together, level lines of
        random fields, which are loops and curves as of a scribble, or three others in a row, small
        as in a word. A network that is told that no class is right loses its confidence in what
        else is none (outlier exposure, Hendrycks et al. 2019).

        Parameters
        ----------
        images : float (B, 1, S, S) in [-1, 1].
        others : of a number and of rows of the batch, int64 (R,), other images for these rows,
            uint8 (R, 1, S, S), of each number others.

        Returns
        -------
        Images, and which of them are no characters, bool (B,).
        """
        chosen, kinds, pens = (draws.uniform(1, 1, 1) for _ in range(3))
        chosen = chosen < self.settings.nothing
        knots = draws.normal(2, KNOTS**2)
        rows = torch.arange(len(images), device=images.device)
        if images.device.type == "cpu":  # elsewhere the host would have to wait for their number
            rows = chosen.flatten().nonzero()[:, 0]
        kinds, pens, knots = kinds[rows], pens[rows], knots[rows]
        given = [2 * others(k, rows).float() / 255 - 1 for k in range(4)]
        from_middle = torch.hypot(*self.terms[:, :2].T)
        bowl = 4 * (from_middle - 0.6).clamp(min=0)  # most lines close before they reach the edge
        fields = (knots @ self.terms[:, 3:].T + bowl).view(-1, 2, self.size, self.size)
        made = torch.where(kinds < PIECES, _corners(given), _level_lines(fields, pens))
        made = torch.where(kinds < PIECES + LINES, made, _in_a_row(given[:3]))
        if images.device.type == "cpu":
            images = images.index_copy(0, rows, made)
        else:
            images = torch.where(chosen, made, images)
        return images, chosen.flatten()

    def _rectangle(self, draws: Draws) -> torch.Tensor:
        """A rectangle in each image, of sides between a sixth and half of the image's: bool
        (B, 1, S, S)."""
        side = 1 / 6 + draws.uniform(2) / 3
        first = draws.uniform(2) * (1 - side)
        axis = torch.arange(self.size, device=side.device) / self.size
        inside = (axis >= first[..., None]) & (axis < (first + side)[..., None])  # (B, 2, S)
        return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]

    def _field(self, draws: Draws, strength: torch.Tensor | None) -> torch.Tensor:
        """Where each output pixel is read from: (B, S, S, 2) in [-1, 1]."""
        s = self.settings
        by = 1.0 if strength is None else strength[:, None]
        amounts = by * draws.normal(6)
        angle = torch.deg2rad(s.rotation * amounts[:, 0])
        scale_x, scale_y = torch.exp(s.scale * amounts[:, 1]), torch.exp(s.scale * amounts[:, 2])
        shear = s.shear * amounts[:, 3]
        cos, sin = angle.cos(), angle.sin()
        affine = torch.stack(
            [
                torch.stack([cos * scale_x, (cos * shear - sin) * scale_y], -1),
                torch.stack([sin * scale_x, (sin * shear + cos) * scale_y], -1),
            ],
            1,
        )
        parts = [affine, 2 * s.shift * amounts[:, 4:, None]]
        if s.elastic:
            coarse = 2 * s.elastic * draws.normal(2, KNOTS**2)
            parts.append(coarse if strength is None else strength[:, None, None] * coarse)
        factors = torch.cat(parts, 2)  # (B, 2, terms)
        field = factors.flatten(0, 1) @ self.terms[:, : factors.shape[2]].T
        return field.view(len(amounts), 2, self.size, self.size).permute(0, 2, 3, 1)


def _some(
    ink: torch.Tensor, chosen: torch.Tensor, change: Callable[..., torch.Tensor], *given: int
) -> torch.Tensor:
    """Ink (B, 1, S, S), changed where it is chosen, bool (B, 1, 1, 1); perhaps in place."""
    if ink.device.type != "cpu":  # to learn how many they are, the host would have to wait
        return torch.where(chosen, change(ink, *given), ink)
    picked = chosen.flatten().nonzero()[:, 0]  # here all of them would take four times as long
    ink[picked] = change(ink[picked], *given)
    return ink


def _thickened(ink: torch.Tensor, kernel: int) -> torch.Tensor:
    return F.max_pool2d(ink, kernel, 1, kernel // 2)


def _thinned(ink: torch.Tensor) -> torch.Tensor:
    thinned = -F.max_pool2d(-ink, (2, 2), 1, 1)[:, :, :-1, :-1]
    return (ink + thinned) / 2  # hairlines would vanish: keep half of what thinning takes


def _blurred(ink: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(ink, 3, 1, 1, count_include_pad=False)


def _corners(images: list[torch.Tensor]) -> torch.Tensor:
    """Of four images each the corner that lies opposite to where it is put."""
    half = images[0].shape[-1] // 2
    upper_left, upper_right, lower_left, lower_right = (
        each.roll((half, half), (2, 3)) for each in images
    )
    upper = torch.cat([upper_left[:, :, :half, :half], upper_right[:, :, :half, half:]], 3)
    lower = torch.cat([lower_left[:, :, half:, :half], lower_right[:, :, half:, half:]], 3)
    rim = half // 8  # there is one around a character, too
    whole = F.interpolate(torch.cat([upper, lower], 2), 2 * (half - rim), mode="area")
    return F.pad(whole, (rim,) * 4, value=-1)


def _level_lines(fields: torch.Tensor, pens: torch.Tensor) -> torch.Tensor:
    """Where one of two fields (B, 2, S, S) is zero, since one alone draws 口 and の as well, with
    pens (B, 1, 1, 1) from thin, 0, to thick, 1."""
    steep = torch.hypot(*torch.gradient(fields, dim=(2, 3))).clamp(min=1e-6)
    width = PENS[0] + (PENS[1] - PENS[0]) * pens
    ink = (0.5 + width - fields.abs() / steep).clamp(0, 1)
    return 2 * ink.amax(1, keepdim=True) - 1


def _in_a_row(images: list[torch.Tensor]) -> torch.Tensor:
    """Three images beside each other, each a third as large, in one of their size."""
    side = images[0].shape[-1]
    row = torch.cat([F.avg_pool2d(each, 3) for each in images], 3)
    lacking = [side - length for length in row.shape[2:]]
    rim = [part for gap in reversed(lacking) for part in (gap // 2, gap - gap // 2)]
    return F.pad(row, rim, value=-1)


def drop_strokes(
    images: torch.Tensor,
    layers: torch.Tensor,
    presence: torch.Tensor,
    share: float,
    draws: Draws,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Erase one stroke of some characters, as if its writer had forgotten it.

    Parameters
    ----------
    images : uint8 (B, 1, S, S).
    layers : uint8 (B, 1, S, S), the number of the stroke, from 1, that a pixel belongs to.
    presence : (B, K), 1 for strokes that were written; one of these goes, but never the last.
    share : of the characters that lose one.

    Returns
    -------
    New images, layers and presence. Where strokes cross, the gap shows in the one that stays.
    """
    priorities = draws.uniform(presence.shape[1])
    stroke = (priorities * (presence > 0)).argmax(1)
    chosen = draws.uniform() < share
    chosen &= (presence > 0).sum(1) > 1
    gone = (layers == (stroke + 1)[:, None, None, None]) & chosen[:, None, None, None]
    # The soft rim of a stroke has no number: take a pixel around it as well, but nothing of others.
    around = F.max_pool2d(gone.float(), 3, 1, 1).bool() & ((layers == 0) | gone)
    places = torch.arange(presence.shape[1], device=presence.device)
    left = presence.masked_fill(chosen[:, None] & (places == stroke[:, None]), 0)
    around &= chosen[:, None, None, None]
    return images.masked_fill(around, 0), layers.masked_fill(gone, 0), left
