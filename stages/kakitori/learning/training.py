"""The training loop. It never asks which architecture it trains."""

import dataclasses
import math
import time

import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from kakitori.archs.contract import Batch
from kakitori.learning import checkpoints
from kakitori.learning.augment import Augmenter
from kakitori.learning.data import Part
from kakitori.params import Train

EVALUATION_BATCH = 1024


@dataclasses.dataclass
class Result:
    """The best epoch's weights, what it reached, the curve over all epochs, and how many images
    were seen in them."""

    state: dict[str, torch.Tensor]
    best: dict
    curve: pd.DataFrame
    images_seen: int


def pick_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_precision(wanted: str, device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it natively, unless params.yaml says otherwise."""
    if wanted != "auto":
        return getattr(torch, wanted)
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    return torch.bfloat16 if native else torch.float32


def train(model: nn.Module, parts: dict[str, Part], settings: Train, seed: int, run: str) -> Result:
    """Train on parts["train"], choose the epoch by parts["val"].

    AdamW (Loshchilov and Hutter 2019) with linear warm-up and a cosine to zero; weight decay on
    matrices and filters alone. Ends early after `patience` epochs without a better validation
    accuracy. A run with the same `run` key that was killed goes on after its last whole epoch,
    with the same random numbers, and ends with the same weights.

    Raises FloatingPointError on a loss that is no number, naming the step.
    """
    device = pick_device()
    if device.type == "cuda":  # the same machine, the same bytes
        torch.use_deterministic_algorithms(True, warn_only=True)
    precision = pick_precision(settings.precision, device)
    model = model.to(device, memory_format=torch.channels_last)
    training, validation = parts["train"].to(device), parts["val"].to(device)
    augment = Augmenter(settings.augment, training.images.shape[-1], device)
    generator = torch.Generator(device).manual_seed(seed)
    drawn = int(training.weights.sum().item())
    batch = min(settings.batch, drawn)
    per_epoch = drawn // batch
    optimiser = _optimiser(model, settings)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _rate(step, settings.warmup, per_epoch * settings.epochs)
    )
    curve: list[dict] = []
    best_state = None
    state = checkpoints.load(run)
    if state:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"])
        curve, best_state = state["curve"], state["best"]
        print(f"train: goes on after epoch {len(curve)}")

    def best_epoch() -> int:
        return max(curve, key=lambda e: (e["val_top1"], -e["val_loss"]))["epoch"]

    while len(curve) < settings.epochs:
        if curve and len(curve) - best_epoch() >= settings.patience:
            print(f"train: no better for {settings.patience} epochs, stops")
            break
        started = time.perf_counter()
        model.train()
        order = _epoch_order(training.weights, generator)
        correct = torch.zeros((), device=device)
        total = torch.zeros((), device=device)
        steps = tqdm(range(per_epoch), desc=f"epoch {len(curve) + 1}", leave=False, disable=None)
        for step in steps:
            picked = order[step * batch : (step + 1) * batch]
            images = augment(training.images[picked], generator)
            images = images.contiguous(memory_format=torch.channels_last)
            labels = training.labels[picked]
            with torch.autocast(device.type, precision, precision != torch.float32):
                outputs = model(images)
            loss = model.loss(outputs, Batch(images, labels, settings.label_smoothing))
            if not math.isfinite(loss.item()):
                raise FloatingPointError(
                    f"step {len(curve) * per_epoch + step}: expected a finite loss, found "
                    f"{loss.item()}; lower train.learning_rate or set train.precision: float32"
                )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            rate = schedule.get_last_lr()[0]
            schedule.step()
            correct += (outputs.logits.detach().argmax(1) == labels).sum()
            total += loss.detach()
        seen = per_epoch * batch
        curve.append(
            {
                "epoch": len(curve) + 1,
                "train_loss": total.item() / per_epoch,
                "train_top1": correct.item() / seen,
                **measure(model, validation, precision),
                "learning_rate": rate,
            }
        )
        line = curve[-1]
        print(
            f"train: epoch {line['epoch']}/{settings.epochs}: loss {line['train_loss']:.3f}, "
            f"validation top-1 {line['val_top1']:.4f}, "
            f"{seen / (time.perf_counter() - started):.0f} images/s",
            flush=True,
        )
        if best_epoch() == len(curve):
            best_state = {k: v.detach().clone() for k, v in model.state_dict().items()}
        checkpoints.save(
            run,
            {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "generator": generator.get_state(),
                "curve": curve,
                "best": best_state,
            },
        )
    state = {k: v.to("cpu").contiguous() for k, v in best_state.items()}
    return Result(
        state, curve[best_epoch() - 1], pd.DataFrame(curve), len(curve) * per_epoch * batch
    )


def _epoch_order(weights: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Which samples an epoch draws, shuffled, int64: sample k ⌊w⌋ or ⌈w⌉ times, w in the mean, and
    at least ⌊Σw⌋ in all (systematic sampling, Madow 1949)."""
    count, device = len(weights), weights.device
    if (weights == 1).all():
        return torch.randperm(count, generator=generator, device=device)
    start = torch.rand((), generator=generator, device=device, dtype=torch.float64)
    upto = torch.floor(weights.cumsum(0) + start).long()
    times = upto.diff(prepend=upto.new_zeros(1))
    drawn = torch.repeat_interleave(torch.arange(count, device=device), times)
    return drawn[torch.randperm(len(drawn), generator=generator, device=device)]


def _optimiser(model: nn.Module, settings: Train) -> torch.optim.Optimizer:
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        fused=True,
    )


def _rate(step: int, warmup: float, total: int) -> float:
    """Share of the peak learning rate at a step: a line up, then a cosine down to zero."""
    rising = max(int(warmup * total), 1)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))


def logits_of(
    model: nn.Module, images: torch.Tensor, precision: torch.dtype = torch.float32
) -> torch.Tensor:
    """Logits float32 (N, C) of uint8 images (N, 1, S, S), on the model's device."""
    model.eval()
    result = []
    with torch.inference_mode():
        for chunk in images.split(EVALUATION_BATCH):
            scaled = (chunk.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)
            with torch.autocast(scaled.device.type, precision, precision != torch.float32):
                result.append(model(scaled).logits.float())
    return torch.cat(result)


def measure(model: nn.Module, part: Part, precision: torch.dtype) -> dict:
    """Top-1, top-5 and cross-entropy on a part, as `val_…`."""
    logits = logits_of(model, part.images, precision)
    top5 = logits.topk(min(5, logits.shape[1]), dim=1).indices == part.labels[:, None]
    return {
        "val_loss": nn.functional.cross_entropy(logits, part.labels).item(),
        "val_top1": top5[:, 0].float().mean().item(),
        "val_top5": top5.any(1).float().mean().item(),
    }
