"""What a network in PyTorch says of images, and how well it reads them."""

import torch
import torch.nn.functional as F
from torch import nn

BATCH = {"cpu": 128, "cuda": 1024}  # larger ones leave a processor's cache


def scaled(images: torch.Tensor) -> torch.Tensor:
    """Images uint8, 0 paper, 255 ink, as networks take them: float32, −1 and +1. NumPy's twin is
    model_file.scaled, for which nobody needs PyTorch."""
    return images.float() / 127.5 - 1


def logits_of(
    model: nn.Module,
    images: torch.Tensor,
    precision: torch.dtype = torch.float32,
    side: int | None = None,
) -> torch.Tensor:
    """Logits float32 (N, C) of uint8 images (N, 1, S, S), on the model's device; made smaller
    first, to a `side`, as training makes them."""
    model.eval()
    result = []
    with torch.inference_mode():
        for chunk in images.split(BATCH.get(images.device.type, 1024)):
            values = scaled(chunk)
            if side and side != values.shape[-1]:
                values = F.interpolate(values, (side, side), mode="area")
            values = values.contiguous(memory_format=torch.channels_last)
            with torch.autocast(values.device.type, precision, precision != torch.float32):
                result.append(model(values).logits.float())
    return torch.cat(result)


def measure(logits: torch.Tensor, labels: torch.Tensor) -> dict:
    """Top-1, top-5 and cross-entropy of logits float32 (N, C), as `val_…`."""
    top5 = logits.topk(min(5, logits.shape[1]), dim=1).indices == labels[:, None]
    figures = {
        "val_loss": F.cross_entropy(logits, labels),
        "val_top1": top5[:, 0].float().mean(),
        "val_top5": top5.any(1).float().mean(),
    }
    return dict(zip(figures, torch.stack([*figures.values()]).tolist(), strict=True))
