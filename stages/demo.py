"""A page that recognises and teaches handwritten characters, as a folder of static files.

    python stages/demo.py                # builds models/demo/, then serves it on 127.0.0.1:8000
    python stages/demo.py --build-only   # any static file server will do
    python stages/demo.py --serve 9000 --model models/exports/int8.onnx

Needs npm, which brings ONNX Runtime Web, the compact export (`dvc exp run -S model=compact`) and
data/characters.parquet. docs/demo.md says what the folder holds.
"""

import argparse
from pathlib import Path

from kakitori import outputs, stage
from kakitori.params import ROOT
from kakitori.results import demo


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help=f"an export ({demo.COMPACT})")
    parser.add_argument("--serve", type=int, default=8000, metavar="PORT", help="(8000)")
    parser.add_argument("--build-only", action="store_true", help="serve nothing")
    options = parser.parse_args()
    folder = ROOT / "models/demo"
    with stage.ended_well("demo"):
        with outputs.alone("demo", "demo"):
            model = options.model or demo.export_of(ROOT)
            demo.install(ROOT)
            sizes = demo.build(ROOT, folder, model)
        said = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items())
        print(f"demo: {folder.relative_to(ROOT)}: {said}")
        if model == ROOT / demo.FALLBACK:
            print(
                f"demo: {demo.FALLBACK} is larger than what the page is meant for; `dvc exp run "
                f"-S model=compact` makes {demo.COMPACT}"
            )
        if not options.build_only:
            serve(folder, options.serve)


def serve(folder: Path, port: int) -> None:
    with demo.server(folder, port) as server:
        print(f"demo: http://127.0.0.1:{server.server_port}/ until Ctrl+C")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
