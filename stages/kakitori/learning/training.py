"""The training loop. It never asks which architecture it trains."""

import copy
import dataclasses
import gc
import math
import time

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from kakitori.learning import checkpoints, inference, machine, optimisation, qat
from kakitori.learning.augment import Augmenter, Draws, drop_strokes
from kakitori.learning.contract import NONE, Batch, Outputs
from kakitori.learning.objectives import Imitation, WriterAdversary
from kakitori.learning.processes import ProcessGroup, patient
from kakitori.learning.samples.data import Part, Partial
from kakitori.learning.sampling import Sampler
from kakitori.running.params import Train

CHECKED = 32  # steps, after which the host waits for their losses


@dataclasses.dataclass
class Trained:
    """The best epoch's weights, what it reached, the curve over all epochs, how many images were
    seen in them, the precision of the matrix products, and which samples, bool (N,), were misread
    in the last epoch, distorted as they were, or did not come in it."""

    state: dict[str, torch.Tensor]
    best: dict
    curve: pd.DataFrame
    images_seen: int
    precision: torch.dtype
    doubtful: torch.Tensor


@patient()
def train(
    model: nn.Module,
    parts: dict[str, Part],
    settings: Train,
    seed: int,
    run: str,
    partial: Partial | None = None,
    distillation: Imitation | None = None,
) -> Trained:
    """Train on parts["train"], choose the epoch by parts["val"].

    Ends early after `patience` epochs without a better validation accuracy. A run with the same
    `run` key that was killed goes on after its last whole epoch, with the same random numbers, and
    ends with the same weights; of several processes, whichever has the last epoch tells the others.

    Parameters
    ----------
    partial : characters with strokes left out, for `sampling.partial`.
    distillation : from a trained network.

    Raises
    ------
    FloatingPointError on a loss that is no number, naming the step.
    MemoryError when a batch does not fit, naming its size.
    """
    state = ProcessGroup().furthest(checkpoints.load(run))
    if state:  # a busier machine might choose another
        settings = settings.model_copy(update={"precision": state["precision"]})
    trainer = Trainer(model, parts, settings, seed, partial, distillation)
    if state:
        trainer.load_state_dict(state)
        trainer.say(f"goes on after epoch {len(trainer.curve)}")
    last = min(settings.stop_after or settings.epochs, settings.epochs)
    while len(trainer.curve) < last:
        if trainer.waited() >= settings.patience:
            trainer.say(f"no better for {settings.patience} epochs, stops")
            break
        trainer.epoch()
        state = trainer.state_dict()
        if trainer.group.rank == 0:
            checkpoints.save(run, len(trainer.curve), state)
    result = trainer.result()
    trainer.leave()
    return result


class Trainer:
    """A model and all that changes while it learns, epoch by epoch."""

    def __init__(
        self,
        model: nn.Module,
        parts: dict[str, Part],
        settings: Train,
        seed: int,
        partial: Partial | None = None,
        distillation: Imitation | None = None,
    ) -> None:
        self.settings, self.group = settings, ProcessGroup()
        device = self.group.device
        if device.type == "cuda":  # the same machine, the same bytes
            torch.use_deterministic_algorithms(True, warn_only=True)
        self.precision = self.group.from_first(machine.pick_precision(settings.precision, device))
        self.model = model.to(device, memory_format=torch.channels_last)
        self.training, self.validation = parts["train"].to(device), parts["val"].to(device)
        self.partial = partial.to(device) if partial else None
        self.distillation = distillation.to(device) if distillation else None
        self.augment = Augmenter(settings.augment, self.training.images.shape[-1], device)
        self.generator = torch.Generator(device).manual_seed(seed)
        # Dropout and the like take the global generator, in each process their own numbers.
        torch.manual_seed(seed + 1_000_003 * self.group.rank)
        self._random = torch.cuda if device.type == "cuda" else torch
        shapes = self._look()
        self.sampler = Sampler(self.training, shapes.logits.shape[1], settings)

        drawn = [self.sampler.drawn(epoch) for epoch in range(settings.epochs)]
        batch = min(settings.batch, *drawn)
        self.partial_batch = round(batch * settings.sampling.partial) if partial else 0
        self.batch = batch - self.partial_batch
        self.steps = [count // self.batch for count in drawn]
        total = sum(self.steps)
        self.rounds_from = total - int(settings.qat * total) if settings.qat else math.inf

        self.adversary, further = None, []
        if settings.style_adversary:
            self.writers, count = self.training.groups()
            self.adversary = WriterAdversary(
                shapes.features.shape[1], count, settings.style_adversary
            ).to(device)
            further.append(self.adversary)
        self.optimiser = optimisation.optimiser(model, settings, *further, precision=self.precision)
        self.schedule = optimisation.Schedule(self.optimiser, settings, total)
        self.release = optimisation.Release(model, settings, total)
        self.ema = copy.deepcopy(self.model) if settings.ema else None
        self.rounding = False
        self.doubtful = torch.ones(len(self.training.labels), dtype=torch.bool, device=device)
        self.curve: list[dict] = []
        self.best_state: dict[str, torch.Tensor] = {}
        self.compiled = machine.pays(settings.compile, device, total)
        self._wrap()

    def _wrap(self) -> None:
        self.forward = self.group.parallel(self.model)
        if self.compiled:
            # One for each of `sides`: of one for all, inductor cannot make code.
            self.forward = torch.compile(self.forward, dynamic=False)
        self.adversary_loss = self.group.parallel(self.adversary) if self.adversary else None

    def _look(self) -> Outputs:
        """What the model says of a blank image: how many classes and features it has."""
        self.model.eval()
        side = self.training.images.shape[-1]
        with torch.inference_mode():
            return self.model(torch.zeros(1, 1, side, side, device=self.group.device))

    def say(self, line: str) -> None:
        if self.group.rank == 0:
            print(f"train: {line}", flush=True)

    # -----------------------------------------------------------------------------------------
    # An epoch

    def epoch(self) -> None:
        """One pass, then a look at validation; both become a line of the curve."""
        started, number = time.perf_counter(), len(self.curve)
        steps = self.steps[number]
        if self.model.progress(number, self.settings.epochs):
            self._wrap()
        self.model.train()
        self.doubtful.fill_(True)
        order = self.sampler.order(number, self.generator)
        totals = torch.zeros(2, device=self.group.device)  # right answers, loss
        losses = []
        for step in tqdm(
            range(steps),
            desc=f"epoch {number + 1}",
            leave=False,
            disable=None if self.group.rank == 0 else True,
        ):
            correct_and_loss = self._step(order[step * self.batch : (step + 1) * self.batch])
            totals += correct_and_loss
            losses.append(correct_and_loss[1])
            if len(losses) == CHECKED or step == steps - 1:
                self._check(losses)
                losses.clear()
        correct, loss = self.group.mean(totals).tolist()
        if self.group.size > 1:  # each has seen its own rows
            everyone = self.group.all_of(self.doubtful.cpu())
            self.doubtful.copy_(torch.stack(everyone).all(0))
        rate = self.last_rate
        metrics = self.group.from_first(self._validate() if self.group.rank == 0 else None)
        if self.settings.sampling.confused:
            answers = self.group.from_first(self.answers if self.group.rank == 0 else None)
            self.sampler.learn_from(answers, self.validation.labels)
        self.curve.append(
            {
                "epoch": number + 1,
                "train_loss": loss / steps,
                "train_top1": correct * self.group.size / (steps * self.batch),
                **metrics,
                "learning_rate": rate,
            }
        )
        better = self.best_epoch() == number + 1
        if better:
            current = self.ema or self.model
            self.best_state = {k: v.detach().clone() for k, v in current.state_dict().items()}
        self.schedule.ended(better)
        seen = steps * (self.batch + self.partial_batch)
        self.say(
            f"epoch {number + 1}/{self.settings.epochs}: loss {loss / steps:.3f}, "
            f"validation top-1 {metrics['val_top1']:.4f}, "
            f"{seen / (time.perf_counter() - started):.0f} images/s"
        )

    def waited(self) -> int:
        """Epochs without a better one; while a curriculum still lacks classes, or images are
        smaller than the last ones, none counts."""
        last = self._side(self.settings.epochs - 1)
        if not self.curve or self._side(len(self.curve) - 1) != last:
            return 0
        return len(self.curve) - max(self.best_epoch(), self.sampler.complete_from())

    def best_epoch(self) -> int:
        """The epoch, from 1, of the best validation accuracy: among those with images as large as
        the last one's, and once weights are rounded, among these."""
        side = self._side(len(self.curve) - 1)
        alike = [e for e in self.curve if self._side(e["epoch"] - 1) == side]
        rounded = [e for e in alike if sum(self.steps[: e["epoch"]]) > self.rounds_from]
        return max(rounded or alike, key=lambda e: (e["val_top1"], -e["val_loss"]))["epoch"]

    def _validate(self) -> dict:
        model = self.ema or self.model
        side = self._side(len(self.curve))
        logits = inference.logits_of(model, self.validation.images, self.precision, side)
        self.answers = logits.argmax(1)
        return inference.measure(logits, self.validation.labels)

    def _check(self, losses: list[torch.Tensor]) -> None:
        """Of the last steps; FloatingPointError where one is no number."""
        host_losses = torch.stack(losses).tolist()
        for step, loss in enumerate(host_losses, self.schedule.step - len(host_losses)):
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"step {step}: expected a finite loss, found {loss}; lower "
                    "train.learning_rate, set train.clip, or set train.precision: float32"
                )

    # -----------------------------------------------------------------------------------------
    # A step. The host never waits for the device in it, or the device would wait for the host in
    # the next.

    def _step(self, picked: torch.Tensor) -> torch.Tensor:
        """Learn from the samples `picked`, int64 (B,). Returns how many were right, and the loss:
        float (2,)."""
        step, settings = self.schedule.step, self.settings
        if step >= self.rounds_from and not self.rounding:
            self._round()
        if self.release.steps and self.release.apply(step):
            self._wrap()
        try:
            batch = self._batch(picked)
            with torch.autocast(
                self.group.device.type, self.precision, self.precision != torch.float32
            ):
                outputs = self.forward(batch.images)
            loss = self.model.loss(outputs, batch)
            if self.distillation:
                loss = self.distillation(loss, outputs, batch.images)
            if self.adversary_loss:
                mine = picked[self.group.rows(self.batch)]
                writers = F.pad(self.writers[mine], (0, len(batch.labels) - len(mine)), value=-1)
                loss = loss + self.adversary_loss(outputs, batch, writers)
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            if settings.clip:
                nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
            self.optimiser.step()
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not (isinstance(error, torch.OutOfMemoryError) or "t allocate memory" in str(error)):
                raise
            raise MemoryError(
                f"step {step}: expected room for a batch of {settings.batch} images, found none "
                f"left; set train.batch: {max(settings.batch // 2, 2)}"
            ) from None
        self.last_rate = self.optimiser.param_groups[-1]["lr"]
        self.schedule.advance()
        if self.ema:
            optimisation.follow(self.ema, self.model, self.settings.ema if step else 0.0)
        whole = self.group.rows(self.batch)
        logits = outputs.logits.detach()[: whole.stop - whole.start]
        right = logits.argmax(1) == batch.labels[: len(logits)]
        self.doubtful[picked[whole]] = ~right
        return torch.stack([right.sum().float(), loss.detach().float()])

    def _batch(self, picked: torch.Tensor) -> Batch:
        """This process's rows of a batch, distorted: whole characters, then partial ones."""
        settings, rows = self.settings, self.group.rows(self.batch)
        draws = Draws(self.generator, self.batch, rows)
        mine = picked[rows]
        labels = self.training.labels[mine]
        images, _ = self.augment(self.training.images[mine], draws, self.sampler.strength(labels))
        images, others, share = self.augment.mix(images, labels, draws)
        if settings.augment.nothing:
            mixed = others, share
            images, others, share = self._some_are_none(images, labels, mixed, picked, draws)
        presence = layers = written = None
        if self.training.written is not None:
            written = self.training.written[mine]
        if self.partial_batch:
            rows = self.group.rows(self.partial_batch)
            draws = Draws(self.generator, self.partial_batch, rows)
            indices = torch.randint(
                len(self.partial.labels),
                (self.partial_batch,),
                generator=self.generator,
                device=self.group.device,
            )[rows]
            drawn, where = self.partial.images[indices], self.partial.layers[indices]
            left = self.partial.presence[indices]
            if settings.augment.drop_strokes:
                drawn, where, left = drop_strokes(
                    drawn, where, left, settings.augment.drop_strokes, draws
                )
            drawn, where = self.augment(drawn, draws, layers=where)
            whole = len(images)
            images = torch.cat([images, drawn])
            labels = torch.cat([labels, self.partial.labels[indices]])
            presence, layers = left, where[:, 0]
            if share is not None:
                others = torch.cat([others, labels[whole:]])
                share = torch.cat([share, share.new_zeros(len(indices))])
            if written is not None:
                written = F.pad(written, (0, 0, 0, len(indices)), value=NONE)
        side = self._side(len(self.curve))
        if side != images.shape[-1]:
            images = F.interpolate(images, (side, side), mode="area")
            if layers is not None:
                layers = F.interpolate(layers[:, None], (side, side))[:, 0]
        images = images.contiguous(memory_format=torch.channels_last)
        return Batch(
            images, labels, settings.label_smoothing, others, share, presence, layers, written
        )

    def _some_are_none(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        mixed: tuple[torch.Tensor | None, torch.Tensor | None],
        picked: torch.Tensor,
        draws: Draws,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What Augmenter.mix returns, with no character in the place of some: mixed with NONE
        alone. Made of others of the whole batch, whichever process has them."""
        others, share = mixed
        images, none = self.augment.nothing(
            images,
            lambda k, rows: self.training.images[picked.roll(k + 1)[draws.rows][rows]],
            draws,
        )
        if others is None:
            others, share = labels, torch.zeros(len(labels), device=images.device)
        return images, others.masked_fill(none, NONE), share.masked_fill(none, 1)

    def _side(self, epoch: int) -> int:
        """Pixels a side of an epoch's images, from 0."""
        sides = self.settings.sides or [self.training.images.shape[-1]]
        return sides[epoch * len(sides) // self.settings.epochs]

    def _round(self) -> None:
        self.rounding = True
        for model in (self.model, *([self.ema] if self.ema else [])):
            qat.begin(model)
        self._wrap()

    # -----------------------------------------------------------------------------------------
    # What a killed run goes on from

    def state_dict(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
            "adversary": self.adversary.state_dict() if self.adversary else None,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "sampler": self.sampler.state_dict(),
            "generator": self.generator.get_state(),
            "global_generators": self.group.all_of(self._random.get_rng_state()),
            "rounding": self.rounding,
            "doubtful": self.doubtful.cpu(),
            "precision": machine.name_of(self.precision),
            "last_rate": self.last_rate,
            "curve": self.curve,
            "best": self.best_state,
        }

    def load_state_dict(self, state: dict) -> None:
        if state["rounding"]:
            self._round()
        self.model.load_state_dict(state["model"])
        for name in ("ema", "adversary"):
            if state[name] is not None:
                getattr(self, name).load_state_dict(state[name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.sampler.load_state_dict(state["sampler"])
        self.generator.set_state(state["generator"])
        numbers = state["global_generators"]  # of another number of processes: of some of them
        self._random.set_rng_state(numbers[self.group.rank % len(numbers)])
        self.doubtful.copy_(state["doubtful"])
        self.last_rate, self.curve, self.best_state = (
            state[name] for name in ("last_rate", "curve", "best")
        )

    def leave(self) -> None:
        """Leave the group, and before it what averages gradients over it: were that the last to
        hold the group, it would wait for its threads with Python's lock, which they want."""
        self.forward = self.adversary_loss = None
        gc.collect()
        self.group.end()

    def result(self) -> Trained:
        best = self.best_epoch()
        self.model.load_state_dict(self.best_state)
        qat.end(self.model)
        state = {k: v.to("cpu").contiguous() for k, v in self.model.state_dict().items()}
        seen = sum(self.steps[: len(self.curve)]) * (self.batch + self.partial_batch)
        curve = pd.DataFrame(self.curve)
        doubtful = self.doubtful.cpu()
        return Trained(state, self.curve[best - 1], curve, seen, self.precision, doubtful)
