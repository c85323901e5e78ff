"""The model that ships: a compact network of every character; before it its teacher, if it has one.

    python stages/flagship.py          # goes on where it was; stop it whenever you like
    python stages/flagship.py --left   # what is left to do

flagship.yaml has the settings. Runs the pipeline's own stages in models/flagship, a clone of the
last commit: outputs, dvc.lock and metrics of this checkout stay as they are. `python
stages/release.py` then puts the model into the package.
"""

import time

from kakitori import outputs
from kakitori.results import flagship
from kakitori.running import params, stage
from kakitori.running.params import ROOT


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("--left", action="store_true", help="say what is left; run nothing")
    options = parser.parse_args()
    folder = ROOT / flagship.FOLDER
    with stage.ended_well("flagship"):
        trees = {step: flagship.settings(ROOT, step) for step in flagship.steps(ROOT)}
        if options.left:
            tell(trees)
            return
        with outputs.alone("flagship", "flagship"):
            if names := flagship.uncommitted(ROOT):
                print(f"flagship: of the last commit, without what has changed since: {names}")
            flagship.prepare(ROOT, folder)
            tell(trees)
            for step, tree in trees.items():
                began = time.perf_counter()
                flagship.place(folder, tree)
                flagship.run(folder, step, taught=flagship.TEACHER in trees)
                print(f"flagship: {step} done, {(time.perf_counter() - began) / 60:.1f} min")
            print("flagship: `python stages/release.py` puts it into the package")


def tell(trees: dict[str, dict]) -> None:
    """What is left of each step, with the epoch that its training has reached."""
    epoch = flagship.epoch(ROOT / flagship.FOLDER)
    for step, stages in flagship.left(ROOT, ROOT / flagship.FOLDER).items():
        remainder = ", ".join(stages) or "nothing"
        if "train" in stages and epoch:
            settings = params.check(trees[step])
            remainder += f" (train: {epoch} of {settings.training().epochs} epochs)"
            epoch = 0  # of the first that is not done
        print(f"flagship: {step} ({trees[step]['model']}): left: {remainder}")


if __name__ == "__main__":
    main()
