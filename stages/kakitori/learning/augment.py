"""Distortions of a whole batch at once, on the device that trains.

Never flips: 人 and 入, し and J tell why.
"""

import torch
import torch.nn.functional as F

from kakitori.params import Augment


class Augmenter:
    """Geometric, morphological and photometric distortions, drawn anew for every image.

    One field of displacements (affine and elastic together) is sampled once, so that an image is
    interpolated once however many distortions there are.
    """

    def __init__(self, settings: Augment, size: int, device: torch.device) -> None:
        self.settings = settings
        axis = (torch.arange(size, device=device, dtype=torch.float32) * 2 + 1) / size - 1
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        self.grid = torch.stack([x, y, torch.ones_like(x)], -1).view(1, -1, 3)
        self.size = size

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Ink images uint8 (B, 1, S, S) to distorted float (B, 1, S, S) in [-1, 1]."""
        s, device = self.settings, images.device
        batch = len(images)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator, device=device)

        def chosen(share: float) -> torch.Tensor:
            return torch.rand(batch, generator=generator, device=device) < share

        ink = images.float() / 255
        for share, kernel in ((s.thicken, 3), (s.thicken_more, 5)):
            if share:
                picked = chosen(share).nonzero()[:, 0]
                ink[picked] = F.max_pool2d(ink[picked], kernel, 1, kernel // 2)
        if s.thin:
            picked = chosen(s.thin).nonzero()[:, 0]
            thinned = -F.max_pool2d(-ink[picked], (2, 2), 1, 1)[:, :, :-1, :-1]
            # Hairlines would vanish: keep half of what thinning takes.
            ink[picked] = (ink[picked] + thinned) / 2
        ink = F.grid_sample(ink, self._field(normal, batch), mode="bilinear", align_corners=False)
        if s.blur:
            picked = chosen(s.blur).nonzero()[:, 0]
            ink[picked] = F.avg_pool2d(ink[picked], 3, 1, 1, count_include_pad=False)
        gain = 1 + s.contrast * normal(batch, 1, 1, 1)
        offset = s.brightness * normal(batch, 1, 1, 1)
        ink = ink * gain.clamp(min=0.3) + offset.clamp(min=0)
        if s.noise:
            level = s.noise * torch.rand(batch, 1, 1, 1, generator=generator, device=device)
            ink = ink + level * normal(batch, 1, self.size, self.size)
        return ink.clamp_(0, 1) * 2 - 1

    def _field(self, normal, batch: int) -> torch.Tensor:
        """Where each output pixel is read from: (B, S, S, 2) in [-1, 1]."""
        s = self.settings
        angle = torch.deg2rad(s.rotation * normal(batch))
        scale_x, scale_y = torch.exp(s.scale * normal(2, batch))
        shear = s.shear * normal(batch)
        cos, sin = angle.cos(), angle.sin()
        affine = torch.stack(
            [
                torch.stack([cos * scale_x, (cos * shear - sin) * scale_y], -1),
                torch.stack([sin * scale_x, (sin * shear + cos) * scale_y], -1),
            ],
            1,
        )
        shift = 2 * s.shift * normal(batch, 2, 1)
        field = (self.grid @ torch.cat([affine, shift], 2).transpose(1, 2)).view(
            batch, self.size, self.size, 2
        )
        if s.elastic:
            coarse = 2 * s.elastic * normal(batch, 2, 5, 5)
            fine = F.interpolate(coarse, self.size, mode="bicubic", align_corners=True)
            field = field + fine.permute(0, 2, 3, 1)
        return field


def drop_strokes(
    images: torch.Tensor,
    layers: torch.Tensor,
    presence: torch.Tensor,
    share: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Erase one stroke of some characters, as if its writer had forgotten it.

    Parameters
    ----------
    images : uint8 (B, 1, S, S).
    layers : uint8 (B, 1, S, S), the number of the stroke, from 1, that a pixel belongs to.
    presence : (B, K), 1 for strokes that were written; one of these goes, but never the last.
    share : of the characters that lose one.

    Returns
    -------
    New images and presence. Where strokes cross, the gap shows in the one that stays.
    """
    device = images.device
    lots = torch.rand(presence.shape, generator=generator, device=device)
    stroke = (lots * (presence > 0)).argmax(1)
    chosen = torch.rand(len(images), generator=generator, device=device) < share
    chosen &= (presence > 0).sum(1) > 1
    gone = (layers == (stroke + 1)[:, None, None, None]) & chosen[:, None, None, None]
    # The soft rim of a stroke has no number: take a pixel around it as well, but nothing of others.
    around = F.max_pool2d(gone.float(), 3, 1, 1).bool() & ((layers == 0) | gone)
    left = presence.clone()
    left[chosen.nonzero()[:, 0], stroke[chosen]] = 0
    return images.masked_fill(around & chosen[:, None, None, None], 0), left
