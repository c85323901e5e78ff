"""A device that is only pretended: its tensors have shapes, types and places, and no numbers.

torch's build for processors gets a second device type here, whose tensors are fake ones. They go
through forward, backward and optimiser, and raise where two devices meet in one operation, where
the host waits for a number (`.item()`, `bool()`) or for a shape (boolean indexing, `nonzero`), and
where a tensor goes from one device to the other. So a GPU's faults are found without a GPU, but for
its speed, its numbers and what CUDA's own kernels refuse.

A process that has registered the device keeps it: it is for one that does nothing else.
"""

import functools
import traceback
import weakref
from collections.abc import Callable, Sequence

import pandas as pd
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

from kakitori.learning import contract, inference, processes, training
from kakitori.learning.contract import Batch, Outputs
from kakitori.learning.objectives import Imitation, WriterAdversary
from kakitori.learning.samples.data import Part, Partial
from kakitori.learning.sampling import Sampler
from kakitori.reading.characters.charset import etl9_characters
from kakitori.reading.characters.strokes import MOST
from kakitori.running.params import ROOT, Train
from tests import committed, networks, toy
from tests.benchmarks import etl9g

NAME = "pretend"
BLOCK = 512  # bytes
AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)
COPIES = (
    torch.ops.aten._to_copy.default,
    torch.ops.aten.copy_.default,
    torch.ops.prims.device_put.default,
)
# What CUDA's autocast computes in the shorter numbers, and what in float32 (the tables of
# torch.amp), as far as networks call it.
SHORTER = ("addmm", "baddbmm", "bmm", "conv2d", "linear", "matmul", "mm")
LONGER = (
    "binary_cross_entropy_with_logits", "exp", "kl_div", "layer_norm", "log_softmax.int",
    "logsumexp", "pow.Tensor_Scalar", "softmax.int", "softplus", "sum", "sum.dim_IntList",
)  # fmt: skip


class DeviceError(Exception):
    """What a GPU would refuse or wait for, and where. Text alone, so that processes can send it."""


# --- the device ----------------------------------------------------------------------------------


def device() -> torch.device:
    return torch.device(NAME, 0)


class Pretended(FakeTensorMode):
    """Every tensor is a fake one inside; while `strict`, none may go from a device to another."""

    strict = False

    def dispatch(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        args, kwargs = tree_map_only(torch.Tensor, self._faked, (args, kwargs or {}))
        result = super().dispatch(func, types, args, kwargs)
        if self.strict:
            tensors = [t for t in tree_leaves((args, kwargs, result)) if isinstance(t, FakeTensor)]
            # Kernels take a single number of the host's as they take any argument.
            devices = {t.device.type for t in tensors if t.ndim or func in COPIES}
            if len(devices) > 1:
                raise DeviceError(f"{func}: a tensor of one device for the other")
        return result

    def __deepcopy__(self, memo: dict) -> "Pretended":
        return self  # the copy of a tensor is of the same mode

    def _faked(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self.from_tensor(tensor)


class Metered(Pretended):
    """Counts the bytes on the device, in blocks as torch's allocator does: those that live, and the
    most there were."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.counted = WeakIdKeyDictionary()

    def dispatch(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: dict | None = None
    ) -> object:
        result = super().dispatch(func, types, args, kwargs)
        for tensor in tree_leaves(result):
            if isinstance(tensor, FakeTensor) and tensor.device.type == NAME:
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        if storage not in self.counted:
            self.counted[storage] = size = -(-storage.nbytes() // BLOCK) * BLOCK
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.live -= size


class _Module(torch.utils.backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


class _Generator(torch.Generator):
    """One that says to be on the device; fake tensors take no numbers from it."""

    def __new__(cls, device: object = None) -> "_Generator":
        return super().__new__(cls)

    @property
    def device(self) -> torch.device:
        return device()


@functools.cache
def register() -> list[torch.library.Library]:
    """Give this process the device and its autocast; what is returned has to be kept."""
    torch.utils.backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())
    everything = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
    everything.fallback(torch.library.fallthrough_kernel)
    autocast = torch.library.Library("aten", "IMPL", "AutocastPrivateUse1")
    for names, precision in ((SHORTER, None), (LONGER, torch.float32)):
        for name in names:
            packet, _, overload = name.partition(".")
            operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
            autocast.impl(operation, functools.partial(_cast, operation, precision))
    shapes = torch.library.Library("aten", "IMPL", "Meta")
    for name, shape_of in SHAPES.items():
        shapes.impl(name, shape_of)
    torch.Generator = _Generator
    processes.device = device
    return [everything, autocast, shapes]


def _cast(
    operation: Callable, precision: torch.dtype | None, *args: object, **kwargs: object
) -> object:
    precision = precision or torch.get_autocast_dtype(NAME)

    def cast(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(precision) if tensor.is_floating_point() else tensor

    with torch._C._ExcludeDispatchKeyGuard(AUTOCAST):
        return operation(*tree_map_only(torch.Tensor, cast, args), **kwargs)


def _rounded(x: torch.Tensor, *rest: object) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(x), torch.empty_like(x, dtype=torch.bool)


def _gru(
    gates: torch.Tensor, recurrent: torch.Tensor, hidden: torch.Tensor, *biases: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.empty_like(hidden), hidden.new_empty(len(hidden), 5 * hidden.shape[1])


def _gru_backward(
    gradient: torch.Tensor, kept: torch.Tensor, biased: bool
) -> tuple[torch.Tensor | None, ...]:
    count, width = gradient.shape
    gates = [gradient.new_empty(count, 3 * width) for _ in range(2)]
    biases = [gradient.new_empty(3 * width) if biased else None for _ in range(2)]
    return *gates, torch.empty_like(gradient), *biases


SHAPES = {  # of what operations return that torch 2.13 has no fakes of
    "fake_quantize_per_channel_affine_cachemask": _rounded,
    "fake_quantize_per_tensor_affine_cachemask": _rounded,
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams": _rounded,
    "_thnn_fused_gru_cell": _gru,
    "_thnn_fused_gru_cell_backward": _gru_backward,
}


# --- what is tried on it -------------------------------------------------------------------------


def faults(work: Callable) -> Callable:
    """`work` in a process that has the device; a DeviceError for whatever it raises."""

    @functools.wraps(work)
    def told(*args: object, **kwargs: object) -> object:
        register()
        try:
            return work(*args, **kwargs)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [f for f in frames if f.filename.startswith(str(ROOT / "stages"))]
            lines = [f"{f.filename.removeprefix(str(ROOT))}:{f.lineno}: {f.line}" for f in ours]
            raise DeviceError(
                "\n".join([f"{type(error).__name__}: {str(error)[:500]}", *lines])
            ) from None

    return told


def part(count: int, classes: int, written: bool = False) -> Part:
    """Blank images of all classes in turn, by four writers."""
    rows = pd.DataFrame({"writer_group": [f"w{k % 4}" for k in range(count)]})
    types = torch.full((count, MOST), -1, dtype=torch.int8)
    types[:, :3] = 1
    images, labels = torch.zeros(count, 1, 64, 64, dtype=torch.uint8), torch.arange(count) % classes
    weights = torch.ones(count, dtype=torch.float64)
    return Part(images, labels, rows, weights, types if written else None)


def partial(count: int, classes: int) -> Partial:
    """The same, each with two strokes."""
    whole = part(count, classes)
    presence = torch.zeros(count, MOST, dtype=torch.int8)
    presence[:, :2] = 1
    return Partial(whole.images, whole.labels, presence, torch.zeros_like(whole.images))


def _adversary(*given: int) -> WriterAdversary:
    """A real one, since torch moves no module whose parameters are fake already."""
    with torch.utils._python_dispatch._disable_current_modes():
        return WriterAdversary(*given)


def trainer(
    model: nn.Module,
    classes: int,
    options: Train,
    mode: Pretended,
    distillation: Imitation | None = None,
) -> training.Trainer:
    """One of training.py on the device, of as many samples as a batch has. How many an epoch draws
    the host asks before the first one: real samples tell it."""
    options = options.model_copy(update={"compile": False})  # a compiler would need its kernels
    whole = part(options.batch, classes, model.learns_order)
    some = partial(16, classes) if options.sampling.partial else None
    sampler = Sampler(whole, classes, options)
    drawn = [sampler.drawn(epoch) for epoch in range(options.epochs)]
    training.Sampler = lambda *_: sampler
    training.WriterAdversary = _adversary
    with mode:
        sampler.drawn, sampler.confused = drawn.__getitem__, sampler.confused.to(device())
        parts = {"train": whole, "val": whole}
        return training.Trainer(model, parts, options, 0, some, distillation)


def steps(run: training.Trainer, mode: Pretended) -> list[tuple[str, torch.dtype, int, bool]]:
    """One step of each epoch. Of what each tells the host the device, type and length, and whether
    it rounded."""
    reports = []
    with mode:
        for epoch in range(run.settings.epochs):
            if sum(run.steps[:epoch]) >= run.rounds_from and not run.rounding:
                run._round()  # once in a run, when new scales go to the device
            picked = torch.zeros(run.batch, dtype=torch.int64, device=device())
            mode.strict = True
            figures = run._step(picked)
            mode.strict = False
            reports.append((figures.device.type, figures.dtype, len(figures), run.rounding))
            run.curve.append({})  # of which the next knows how large its images are
    return reports


class _Asks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * gradient.sum().item()


PLANTS = {
    "a number": lambda outputs: outputs.logits.sum().item(),
    "a branch": lambda outputs: bool((outputs.logits > 0).any()),
    "a boolean index": lambda outputs: outputs.logits[outputs.logits > 0],
    "a shape": lambda outputs: outputs.logits.nonzero(),
    "a tensor of the host's": lambda outputs: outputs.logits + torch.zeros(outputs.logits.shape[1]),
    "an index of the host's": lambda outputs: outputs.logits[torch.arange(3)],
    "a copy to the host": lambda outputs: outputs.logits.cpu(),
    "a copy to the device": lambda outputs: torch.zeros(3).to(outputs.logits.device),
    "a list": lambda outputs: outputs.logits[[0, 1]],
    "a number of a gradient": lambda outputs: outputs._replace(logits=_Asks.apply(outputs.logits)),
}


@faults
def learns(name: str, net: dict, plant: str = "", teacher: str = "", **changes: object) -> list:
    """`steps` of an architecture with these settings; with a fault of PLANTS in its loss, or a
    teacher."""
    model, options = networks.made(name, net), toy.settings(**changes)
    own = model.loss

    def loss(outputs: Outputs, batch: Batch) -> torch.Tensor:
        planted = PLANTS[plant](outputs) if plant else None
        return own(planted if isinstance(planted, Outputs) else outputs, batch)

    model.loss = loss
    classes, distillation = len(networks.CLASSES), None
    if teacher:
        of = networks.made(teacher, {})
        distillation = Imitation(of, torch.arange(classes), share=0.7, temperature=3.0)
    mode = Pretended()
    return steps(trainer(model, classes, options, mode, distillation), mode)


@faults
def reads(name: str, net: dict, measured: bool = False) -> tuple[str, torch.dtype, tuple[int, ...]]:
    """The device, type and shape of the logits of a validation in two batches; `measured`, which
    the host has to wait for once."""
    model, count = networks.made(name, net), 1024 + 8
    whole = part(count, len(networks.CLASSES))
    with Pretended() as mode:
        model, whole = model.to(device(), memory_format=torch.channels_last), whole.to(device())
        mode.strict = True
        logits = inference.logits_of(model, whole.images, torch.bfloat16, side=32)
        if measured:
            inference.measure(logits, whole.labels)
    return logits.device.type, logits.dtype, tuple(logits.shape)


@faults
def learns_etl9g() -> list:
    """`steps` of tests/benchmarks/etl9g.py, at its size, in the precision of a GPU."""
    settings = etl9g.settings(etl9g.parsed([]), committed.settings_text())
    classes = list(etl9_characters())
    model = contract.network(settings, classes, pd.DataFrame())
    options = settings.training().model_copy(update={"precision": "bfloat16"})
    mode = Pretended()
    return steps(trainer(model, len(classes), options, mode), mode)


@faults
def live_and_peak() -> tuple[int, ...]:
    """Of Metered: bytes that live with 1,000 numbers on the device, as many of the host's and
    a view; with 64 and a copy more; and, with none any more, those that live and the most."""
    with Metered() as mode:
        held = [torch.zeros(1000, device=device()), torch.zeros(1000)]
        held.append(held[0].view(10, 100))
        first = mode.live
        held += [torch.zeros(64, device=device()), held[0].clone()]
        second = mode.live
        held.clear()
    return first, second, mode.live, mode.peak
