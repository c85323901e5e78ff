"""A page that recognises and teaches handwritten characters, as a folder of static files.

    python stages/demo.py                # builds models/demo/, then serves it on 127.0.0.1:8000
    python stages/demo.py --build-only   # any static file server will do
    python stages/demo.py --serve 9000 --model models/exports/int8.onnx

Needs npm, which brings ONNX Runtime Web. Takes this checkout's own model (the compact export, by
`dvc exp run -S model=compact`, or that of the default run) with data/characters.parquet; where it
has none, what ships in stages/kakitori/reading/model. docs/demo.md says what the folder holds.
"""

import contextlib
from importlib.util import find_spec
from pathlib import Path

from kakitori import outputs
from kakitori.outputs import ROOT
from kakitori.results import demo
from kakitori.running import stage


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("--model", type=Path, help=f"an export ({demo.COMPACT})")
    parser.add_argument("--serve", type=int, default=8000, metavar="PORT", help="(8000)")
    parser.add_argument("--build-only", action="store_true", help="serve nothing")
    options = parser.parse_args()
    folder = ROOT / "models/demo"
    with stage.ended_well("demo"):
        # A lock needs filelock, which the package does without.
        alone = outputs.alone("demo", "demo") if find_spec("filelock") else contextlib.nullcontext()
        with alone:
            model = options.model or demo.export_of(ROOT)
            demo.install(ROOT)
            sizes = demo.build(ROOT, folder, model)
        summary = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sizes.items())
        print(f"demo: {folder.relative_to(ROOT)}: {summary}")
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
