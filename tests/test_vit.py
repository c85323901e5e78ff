"""The vision transformer's parts against what they must be equal to."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.archs import vit


def built(**net) -> vit.VisionTransformer:
    torch.manual_seed(0)
    return vit.build("一二三", None, 64, **{"width": 16, "heads": 2, "layers": 2} | net)


def test_attention_is_that_of_torch():
    torch.manual_seed(0)
    ours, theirs = vit.Attention(12, 3), nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(ours.project.weight)  # its biases begin at zero
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_layers_know_places_by_the_embedding_alone():
    net = built().eval()
    grid = torch.randn(2, 16, 8, 8)
    order = torch.randperm(64)
    shuffled = grid.flatten(2)[:, :, order].view_as(grid)
    with torch.no_grad():
        nn.init.zeros_(net.places.weight)
        tokens = net.layers(net.places(grid))[:, order]
        torch.testing.assert_close(net.layers(net.places(shuffled)), tokens)
        nn.init.normal_(net.places.weight)
        tokens = net.layers(net.places(grid))[:, order]
        assert (net.layers(net.places(shuffled)) - tokens).abs().mean() > 0.5


def test_places_of_half_the_side_are_the_means_of_four():
    places = vit.Places(5, 8)
    tokens = places(torch.zeros(1, 5, 4, 4))
    expected = F.avg_pool2d(places.weight, 2).flatten(2).transpose(1, 2)
    torch.testing.assert_close(tokens, expected)


def test_stochastic_depth_leaves_whole_branches_out_and_keeps_the_mean():
    torch.manual_seed(0)
    layer = vit.Layer(8, 2, 0.25).train()
    branch = layer._sometimes(torch.ones(4000, 3, 8))
    image = branch[:, 0, 0]
    assert (branch == image[:, None, None]).all()
    assert sorted(set(image.tolist())) == [0, pytest.approx(1 / 0.75)]
    assert image.mean().item() == pytest.approx(1, abs=0.03)
    assert (layer.eval()._sometimes(torch.ones(9, 3, 8)) == 1).all()


def test_only_later_layers_are_left_out():
    assert [layer.drop for layer in built(layers=3, stochastic_depth=0.2).layers] == [
        0,
        pytest.approx(0.1),
        pytest.approx(0.2),
    ]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ({"heads": 3}, "heads: expected a divisor of the width, 16, found 3"),
    ],
)
def test_bad_settings_are_named(net, message):
    with pytest.raises(ValueError, match=message):
        built(**net)
