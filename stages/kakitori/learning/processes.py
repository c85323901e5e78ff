"""Training in several processes (torch's DistributedDataParallel), on one machine or several.

Every process holds all samples, draws the same random numbers and takes its rows of each batch;
gradients are averaged. Networks without batch-norm end with the weights of one process but for the
order of sums; batch-norm takes its statistics over a process's rows alone.
"""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from kakitori.errors import DataError
from kakitori.running.workers import end_after

WAIT = 600  # seconds for machines that have not come
KEEP_ALIVE = 10  # seconds; a machine that is silent for three times as many is gone
RESTARTS = 3  # of the processes of several machines, after which one that fails ends them all


class Meeting(NamedTuple):
    """How many machines train together, where on the network they find each other, and how many
    seconds each waits for the others."""

    machines: int = 1
    host: str = "localhost"
    port: int = 0
    wait: int = WAIT

    @staticmethod
    def parsed(text: str) -> "Meeting":
        """Of N,HOST:PORT or N,HOST:PORT,SECONDS; DataError when it is neither."""
        with contextlib.suppress(ValueError):
            machines, place, *wait = text.split(",")
            host, _, port = place.rpartition(":")
            meeting = Meeting(int(machines), host, int(port), *map(int, wait))
            if meeting.machines >= 1 and host and 0 < meeting.port < 2**16 and meeting.wait >= 1:
                return meeting
        raise DataError(
            "--machines: expected how many, and the place where they meet, such as "
            f"2,gpu1:29500 or, to wait 60 seconds, 2,gpu1:29500,60; found {text!r}"
        )


ALONE = Meeting()


def started() -> bool:
    """Whether torchrun has started this process."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def first() -> bool:
    """Whether this process writes, prints and measures: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0" or not started()


def start(count: int, meeting: Meeting = ALONE) -> None:
    """Run this script again in `count` processes on this machine, as torchrun does, together with
    those of the machines that meet, and wait for them. When one of several machines goes, the
    others wait for it to come again and all go on from the last checkpoint. Raises DataError when a
    process fails, or a machine does not come."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    if count > 1:
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does
    several = meeting.machines > 1
    if several:  # else who was second goes on looking for a first one that is gone
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    config = LaunchConfig(
        min_nodes=meeting.machines,
        max_nodes=meeting.machines,
        nproc_per_node=count,
        run_id="kakitori",
        rdzv_backend="c10d",
        rdzv_endpoint=f"{meeting.host}:{meeting.port}",
        # On a busy machine to join takes longer than 5 seconds, torch's own number for staying
        # alive, and is then begun again and again.
        rdzv_configs={
            "join_timeout": meeting.wait,
            "read_timeout": meeting.wait,
            "keep_alive_interval": KEEP_ALIVE,
        },
        max_restarts=RESTARTS if several else 0,
        local_addr=_address(meeting),
    )
    try:
        elastic_launch(config, sys.executable)("-u", sys.argv[0])
    except ChildFailedError as error:
        raise DataError(
            f"expected {count * meeting.machines} processes to end well, found status "
            f"{error.get_first_failure()[1].exitcode} of one; the first error above tells why"
        ) from None
    except RendezvousError:
        raise DataError(
            f"expected {meeting.machines} machines at {meeting.host}:{meeting.port}, found fewer "
            f"in {meeting.wait} seconds; run the same command on each, and see that all reach "
            f"{meeting.host}, the first of them, at that port"
        ) from None
    except SignalException:
        raise KeyboardInterrupt from None


def _address(meeting: Meeting) -> str:
    """Of this machine, as the place of the meeting sees it; nothing is sent."""
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reached,
    ):
        reached.connect((meeting.host, meeting.port or 1))
        return reached.getsockname()[0]
    return meeting.host


def follow() -> None:
    """Let this process end when the one does that started it and its like."""
    if started():
        end_after(psutil.Process(os.getppid()).wait)


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """A block that fails where another machine has gone. The failure is told when those that are
    left know that it is gone: who asks sooner who takes part is sent to wait for it."""
    try:
        yield
    except RuntimeError:
        if int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1:  # torchrun's word for machines
            time.sleep(3 * KEEP_ALIVE + 5)
        raise


def device() -> torch.device:
    """What this process computes on."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ["LOCAL_RANK"]) if started() else 0)
    return torch.device("cpu")


class ProcessGroup:
    """The processes that train together; without torchrun this one alone."""

    def __init__(self) -> None:
        self.rank, self.size = 0, 1
        if started():
            if not dist.is_initialized():
                dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
            self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.device = device()
        if self.device.type == "cuda":
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

    def from_first(self, value: object, first: int = 0) -> object:
        """The first process's value, or that of another, in all of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, first)
        return box[0]

    def all_of(self, value: object) -> list:
        """The value of each process, in all of them."""
        values = [value] * self.size
        if self.size > 1:
            dist.all_gather_object(values, value)
        return values

    def furthest(self, state: dict | None) -> dict | None:
        """Of what each process could go on from, the one after most epochs: machines need not share
        a folder, nor have the same ranks again."""
        epochs = self.all_of(len(state["curve"]) if state else 0)
        return self.from_first(state, epochs.index(max(epochs)))

    def end(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()
