"""codecarbon's look at the machine, for which it starts seven programs, taken before a fork: the
processes that are forked know of it. What runs in processes of its own looks for itself."""

import logging

from codecarbon import OfflineEmissionsTracker

logging.getLogger("codecarbon").setLevel(logging.ERROR)  # it greets before log_level counts
tracker = OfflineEmissionsTracker(
    country_iso_code="JPN", save_to_file=False, log_level="error", allow_multiple_runs=True
)
tracker.start()
tracker.stop()
