"""The start of a compact network from a trained cnn: the channels that count for most.

    python stages/prune.py NAME START

Reads models/pretrained/NAME.safetensors and NAME.json (model: cnn); writes START.safetensors and
START.json beside them, for `train.transfer.init_from`, of the widths and the rank of
`archs.compact.net`.
"""

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.learning import contract, pruning, saved
from kakitori.running import params, stage


def main() -> None:
    parser = stage.arguments(__doc__)
    parser.add_argument("source", metavar="NAME")
    parser.add_argument("target", metavar="START")
    options = parser.parse_args()
    with stage.by_hand("prune"), outputs.together():
        prune(options.source, options.target, params.load().archs["compact"].net)


def prune(source: str, target: str, net: dict) -> None:
    """net : widths and rank, as `archs.compact.net` has them."""
    described = saved.describe(saved.PRETRAINED, source)
    if described.model != "cnn":
        raise DataError(
            f"{described.path}: expected a model of cnn, found one of {described.model}"
        )
    settings = params.load()
    changes = {
        "model": "compact",
        "data": settings.data.model_copy(update={"size": described.size}),
        "archs": {"compact": params.Arch(net=net)},
    }
    small = contract.network(settings.model_copy(update=changes), described.classes, None)
    pruning.prune(described.network(), small)
    path = saved.PRETRAINED / f"{target}.safetensors"
    saved.write(path, small.state_dict())
    about = {
        "model": "compact",
        "net": net,
        "size": described.size,
        "classes": "".join(described.classes),
    }
    outputs.write_json(path.with_suffix(".json"), about)
    before, after = (sum(p.numel() for p in n.parameters()) for n in (described.network(), small))
    print(f"prune: {before:,} parameters of {source} became {after:,} of {target}")


if __name__ == "__main__":
    main()
