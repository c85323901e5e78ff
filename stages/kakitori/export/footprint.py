"""What it takes to open a model file: time, and memory at its peak."""

import json
import os
import subprocess
import sys
from pathlib import Path

# In a process of its own, whose memory nothing else has used.
CODE = """
import json, sys, time
import numpy, onnxruntime
from kakitori.reading.sessions import open_session
from pathlib import Path
size = int(sys.argv[2])
image = numpy.zeros((1, 1, size, size), numpy.float32)
def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
before, started = status("VmRSS"), time.perf_counter()
session = open_session(Path(sys.argv[1]), threads=1)
opened = time.perf_counter()
session.run(["logits"], {"input": image})
print(json.dumps({"load_ms": 1000 * (opened - started), "peak_mb": status("VmHWM") - before}))
"""


def measure(path: Path, size: int) -> dict[str, float]:
    """`load_ms`, the time to open a session on one thread, the median of three processes; and
    `peak_mb`, how many MiB more the process held at its peak, after its first image, than before.
    """
    root = str(Path(__file__).resolve().parents[2])
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", CODE, str(path), str(size)],
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": root},
            ).stdout
        )
        for _ in range(3)
    ]
    return {key: round(sorted(run[key] for run in runs)[1], 2) for key in runs[0]}
