"""How torch's threads wait for each other, beside other work; imported before torch is.

Each operation is shared among a thread per core, and the first that is done waits for the last. By
default it waits for milliseconds in a loop that keeps its core busy. Where another process has one
of the cores, that is the core which the last thread needs: two threads on two cores then learn at a
quarter of the rate that they have alone. With a short loop and sleep after it they keep half or
more, and lose nothing alone, where hardly any wait outlasts the loop; docs/speed.md has figures.

There are still as many threads as cores, however many of these are free: sums are rounded by the
shares that the threads have, and the same run has to give the same bytes.
"""

import os

# Rounds of GNU's loop (libgomp, in torch's wheels for Linux): some 20 to 50 microseconds; 300,000
# by default. And milliseconds of LLVM's and Intel's (macOS, Windows, conda); 200 by default.
SHORT = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}

if not {"OMP_WAIT_POLICY", *SHORT} & os.environ.keys():  # or as whoever runs it has chosen
    os.environ.update(SHORT)
