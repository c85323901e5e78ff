"""Stop a metric regression: compare this checkout's metrics with an earlier commit's.

    python stages/gate.py
    python stages/gate.py --base v1.0

The base is the newest ancestor whose metrics/evaluate.json differs, unless named. Ends with
status 1 on a regression, 0 without one or where there is nothing to compare with; but where git's
history is not there (a source archive, a shallow clone) with 1 in CI, 0 and a notice elsewhere.
"""

import sys

from kakitori.results import gate
from kakitori.running import stage
from kakitori.running.params import ROOT


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("--base", metavar="REV", help="a commit, tag or branch")
    base = parser.parse_args().base
    with stage.ended_well("gate"):
        verdict = gate.compare(ROOT, base)
    print("\n".join(verdict.lines))
    sys.exit(0 if verdict.passed else 1)


if __name__ == "__main__":
    main()
