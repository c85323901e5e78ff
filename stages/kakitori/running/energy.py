"""Electricity used by a piece of work, by codecarbon's offline tracker, and what it stands for."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping

from codecarbon import OfflineEmissionsTracker

from kakitori import outputs
from kakitori.running.params import ROOT, Equivalent, Grid

FOLDER = ROOT / "metrics" / "energy"


@contextlib.contextmanager
def tracked(country: str) -> Iterator[dict]:
    """Energy of a block of code.

    Yields a dict that holds, once the block has ended: `seconds`; `kwh`, `cpu_kwh`, `gpu_kwh`,
    `ram_kwh`; `cpu_watt` as assumed or measured, and `cpu`, the processor's name; `gpu`, likewise,
    `ram_gb`, and `tracking`, whether the whole machine or this process was looked at. Where the
    machine shows no power meter, codecarbon estimates from the load (see `carbon.json`).
    """
    logging.getLogger("codecarbon").setLevel(logging.ERROR)  # it greets before log_level counts
    tracker = OfflineEmissionsTracker(
        country_iso_code=country,
        save_to_file=False,
        log_level="error",
        measure_power_secs=5,
        allow_multiple_runs=True,
    )
    record: dict = {}
    started = time.perf_counter()
    tracker.start()
    try:
        yield record
    finally:
        tracker.stop()
    data = tracker.final_emissions_data
    if not data.energy_consumed > 0:
        raise RuntimeError("codecarbon measured no energy; its own log names the reason")
    record |= {
        "seconds": round(time.perf_counter() - started, 3),
        "kwh": data.energy_consumed,
        "cpu_kwh": data.cpu_energy,
        "gpu_kwh": data.gpu_energy,
        "ram_kwh": data.ram_energy,
        "cpu_watt": data.cpu_power,
        "cpu": data.cpu_model,
        "gpu": data.gpu_model or "none",
        "ram_gb": round(data.ram_total_size, 1),
        "tracking": data.tracking_mode,
    }


@contextlib.contextmanager
def measured(stage: str, country: str) -> Iterator[None]:
    """Energy of one stage, written to metrics/energy/<stage>.json when it ends well."""
    with tracked(country) as record:
        yield
    outputs.write_json(FOLDER / f"{stage}.json", record)


def rated(seconds: float, watts: float) -> float:
    """kWh of a machine that takes its rated power for the whole time."""
    return seconds * watts / 3.6e6


def on_grids(kwh: float, grids: Mapping[str, Grid]) -> dict[str, float]:
    """kg CO2e of so much electricity on each grid."""
    return {name: kwh * grid.intensity / 1000 for name, grid in grids.items()}


def equivalents(kwh: float, grid: Grid, each: Mapping[str, Equivalent]) -> dict[str, float]:
    """How many of each thing cost as much electricity, or as much CO2e on a grid."""
    kg = kwh * grid.intensity / 1000
    return {name: (kwh if e.unit == "kWh" else kg) / e.amount for name, e in each.items()}


def savings(inference: Mapping[str, float], grids: Mapping[str, Grid]) -> dict[str, float]:
    """Shares that are saved: by each format against float32, negative where it costs more;
    and by the cleanest grid against the dirtiest."""
    shares = {
        f"{name}_against_float32": 1 - wh / inference["fp32"]
        for name, wh in inference.items()
        if name != "fp32"
    }
    clean = min(grids, key=lambda name: grids[name].intensity)
    dirty = max(grids, key=lambda name: grids[name].intensity)
    if grids[dirty].intensity > 0:
        shares[f"{clean}_against_{dirty}"] = 1 - grids[clean].intensity / grids[dirty].intensity
    return shares
