"""What ships: the INT8 model of a finished run, put into the package with what is known of it.

    python stages/release.py                      # the flagship's (make flagship)
    python stages/release.py --run .              # this checkout's own
    python stages/release.py --largest 4.2        # MB; more than 2.0 is refused otherwise

Writes stages/kakitori/reading/model/: the model, its settings, data, commit, figures and licence,
and KanjiVG's strokes of the characters. Commit that folder; `make wheel` packs it.
"""

from pathlib import Path

from kakitori.reading import shipped
from kakitori.results import flagship, release
from kakitori.running import stage
from kakitori.running.params import ROOT


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument(
        "--run", type=Path, default=ROOT / flagship.FOLDER, help=f"({flagship.FOLDER})"
    )
    parser.add_argument("--largest", type=float, default=release.LARGEST / 1e6, help="MB (2.0)")
    options = parser.parse_args()
    with stage.by_hand("release"):
        about = release.write(options.run.resolve(), shipped.FOLDER, round(options.largest * 1e6))
    figures = about["figures"]
    print(
        f"release: {about['model']} of {about['classes']:,} characters, {about['bytes']:,} bytes, "
        f"test top-1 {figures['test']['top1']:.2%}, as drawn in strokes.bin "
        f"{figures['drawn']['top1_alike']:.2%}, in {shipped.FOLDER.relative_to(ROOT)}"
    )


if __name__ == "__main__":
    main()
