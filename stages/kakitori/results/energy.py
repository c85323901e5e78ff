"""Electricity used by a piece of work, by codecarbon's offline tracker."""

import contextlib
import logging
import time
from collections.abc import Iterator

from codecarbon import OfflineEmissionsTracker

from kakitori import outputs
from kakitori.params import ROOT

FOLDER = ROOT / "metrics" / "energy"


@contextlib.contextmanager
def tracked(country: str) -> Iterator[dict]:
    """Energy of a block of code.

    Yields a dict that holds, once the block has ended: `seconds`; `kwh`, `cpu_kwh`, `gpu_kwh`,
    `ram_kwh`; `cpu_watt` as assumed or measured, and `cpu`, the processor's name. Where the
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
    }


@contextlib.contextmanager
def measured(stage: str, country: str) -> Iterator[None]:
    """Energy of one stage, written to metrics/energy/<stage>.json when it ends well."""
    with tracked(country) as record:
        yield
    outputs.write_json(FOLDER / f"{stage}.json", record)
