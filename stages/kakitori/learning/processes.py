"""Training in several processes (torch's DistributedDataParallel), on one machine or several.

Every process holds all samples, draws the same random numbers and takes its rows of each batch;
gradients are averaged. Networks without batch-norm end with the weights of one process but for the
order of sums; batch-norm takes its statistics over a process's rows alone.
"""

import os
import subprocess
import sys

import psutil
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from kakitori.errors import DataError
from kakitori.workers import end_after

STARTER = "KAKITORI_STARTER"  # the process that `start` ran in, for those that it starts


def started() -> bool:
    """Whether torchrun has started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def first() -> bool:
    """Whether this process writes, prints and measures: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0" or not started()


def start(count: int) -> None:
    """Run this script again in `count` processes on this machine, and wait for them; DataError when
    one fails. They end when this process does."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = {**os.environ, STARTER: str(os.getpid())}
    done = subprocess.run([*torchrun, "--nproc-per-node", str(count), *sys.argv], env=environment)
    if done.returncode:
        raise DataError(
            f"train.processes: expected {count} processes to end well, found status "
            f"{done.returncode}; the first error above tells why"
        )


def follow() -> None:
    """Let this process end when the one does that started it by `start`; torchrun itself, whose
    processes then fail, ends too."""
    if STARTER in os.environ:
        end_after(psutil.Process(int(os.environ[STARTER])).wait)


class Group:
    """The processes that train together; without torchrun this one alone."""

    def __init__(self) -> None:
        self.rank, self.size = 0, 1
        local = 0
        if started():
            local = int(os.environ["LOCAL_RANK"])
            if not dist.is_initialized():
                dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
            self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = torch.device("cpu")
        if torch.cuda.is_available():
            self.device = torch.device("cuda", local)
            torch.cuda.set_device(self.device)

    def rows(self, batch: int) -> slice:
        """Which rows of a batch are this process's."""
        return slice(batch * self.rank // self.size, batch * (self.rank + 1) // self.size)

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model with gradients averaged over the processes."""
        if self.size == 1 or not any(p.requires_grad for p in model.parameters()):
            return model
        return DistributedDataParallel(model)

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Averaged over the processes."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
            value /= self.size
        return value

    def from_first(self, value: object) -> object:
        """The first process's value, in all of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def end(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()
