"""CAST: outputs, masks, degenerate inputs, options."""

import pytest
import torch
import torch.nn.functional as F
from helpers.cast import (
    TINY,
    block_labels,
    each_output,
    random_inputs,
    tensors,
    tiny_cast,
)

from mmhierseg.models import CAST
from mmhierseg.ops import segment_mean
from mmhierseg.structures import SegmentTokens


def per_image(out, index):
    """An image's part of each result; tokens of its own segments only."""
    if isinstance(out[0], SegmentTokens):
        tokens = out[0].tokens[index][~out[0].empty[index]]
        return [out[0].cls_token[index], tokens]
    return [value[index] for value in out]


def tokenize(model, inputs):
    labels = inputs[:, 3].long()
    return model.tokenizer(inputs[:, :3], labels, int(labels.max()) + 1)


# ------------------------------------------------------------------- outputs


def test_one_stage_without_pooling_is_a_plain_transformer():
    model = tiny_cast(
        arch=dict(embed_dims=48, depths=(3, ), num_heads=4), num_clusters=())
    assert all(p.requires_grad for p in model.parameters())
    inputs = random_inputs()
    x = torch.cat([model.cls_token.expand(2, -1, -1),
                   tokenize(model, inputs).tokens], dim=1)
    for block in model.stages[0]:
        x = block(x)
    torch.testing.assert_close(model(inputs)[0], model.norm(x[:, 0]))
    output = model.forward_hierarchy(inputs)
    assert output.hierarchy.num_levels == 1 and not output.logits
    torch.testing.assert_close(output.tokens[0], x[:, 1:])


def test_class_tokens_of_stages():
    """The last is that of 'cls_token'; the others are not normalised."""
    one, model = (
        tiny_cast(out_type=kind) for kind in ('cls_token', 'cls_tokens'))
    assert model.state_dict().keys() == one.state_dict().keys()
    inputs, blocks = random_inputs(2, 64, 96), []
    for stage in model.stages:
        stage[-1].register_forward_hook(
            lambda module, args, out: blocks.append(out[:, 0]))
    with torch.no_grad():
        tokens = model(inputs)
        assert len(tokens) == 4 and torch.equal(tokens[3], one(inputs)[0])
        for token, after in zip(tokens, blocks):
            after = model.norm(after) if token is tokens[3] else after
            assert torch.equal(token, after)
        assert torch.equal(
            model.forward_hierarchy(inputs).cls_token, tokens[3])
        some = tiny_cast(out_type='cls_tokens', out_indices=(2, 0))
        assert not any('norm' in name.split('.')[0]
                       for name in some.state_dict())
        for a, b in zip(some(inputs), (tokens[2], tokens[0])):
            torch.testing.assert_close(a, b)
    for wrong in ((), (4, ), ('fused', )):
        with pytest.raises(ValueError, match='`out_indices` must hold stages'):
            tiny_cast(out_type='cls_tokens', out_indices=wrong)


@pytest.mark.parametrize('stride', [8, 4, 1])
def test_featmap_is_the_mean_of_the_segments_tokens(stride):
    inputs = random_inputs(2, 64, 96)
    inputs[1, 3, :20] = -1
    model = tiny_cast(
        out_type='featmap', out_indices=(0, -2), featmap_stride=stride)
    with torch.no_grad():
        maps = model(inputs)
        out = model.forward_hierarchy(inputs)
    for feature_map, level in zip(maps, (0, 2)):
        scattered = out.hierarchy.scatter(out.tokens[level], level)
        torch.testing.assert_close(
            feature_map, F.avg_pool2d(scattered, stride))


@pytest.mark.parametrize('mask_empty', [True, False])
def test_outputs_of_fused_tokens_agree(mask_empty):
    """Of a map with gaps, too."""
    inputs = random_inputs(2, 64, 96)
    inputs[0, 3] *= 2
    segments, average, featmap = (
        tiny_cast(mask_empty=mask_empty, segment_at='stem', **options)
        for options in (dict(out_type='segments'),
                        dict(out_type='avg_segments'),
                        dict(out_type='featmap', out_indices=('fused', ),
                             featmap_stride=1)))
    with torch.no_grad():
        out = segments(inputs)[0]
        # Quirk: without masks, unused numbers count, too.
        assert out.tokens.size(1) == (24 if mask_empty else 47)
        assert (out.empty is None) != mask_empty
        torch.testing.assert_close(average(inputs)[0], out.tokens.mean(1))
        expected = out.tokens[0, out.labels[0, 40, 70]]
        torch.testing.assert_close(featmap(inputs)[0][0, :, 40, 70], expected)


@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
def test_tokens_are_means_over_segments(segment_at):
    """At the stem's grid, or of maps upsampled to the image's size."""
    model = tiny_cast(segment_at=segment_at)
    inputs = random_inputs(2, 48, 80, side=16)
    labels = inputs[:, 3].long()
    features = model.tokenizer.stem(inputs[:, :3])
    table = model.tokenizer.pos_embed[:, 1:].transpose(1, 2).view(1, 48, 8, 8)
    size = (48, 80)
    if segment_at == 'stem':
        labels, size = labels[:, ::8, ::8], (6, 10)
    else:
        features = F.interpolate(features, size, mode='bilinear')
    expected, _ = segment_mean(
        features + F.interpolate(table, size, mode='bicubic'), labels, 15)
    torch.testing.assert_close(
        tokenize(model, inputs).tokens, expected, atol=1e-5, rtol=1e-4)


# -------------------------------------------------------------- independence


@pytest.mark.parametrize('segment_at', ['stem', 'pixel'])
@each_output
def test_independent_of_other_images(options, segment_at):
    """With sides that 8 does not divide."""
    model = tiny_cast(segment_at=segment_at, **options)
    inputs = random_inputs(3, 61, 90)
    inputs[1, 3] = block_labels(61, 90, 8)
    inputs[2, 3] = 0
    with torch.no_grad():
        together = model(inputs)
        for index in range(3):
            alone = model(inputs[index:index + 1])
            for a, b in zip(per_image(together, index), per_image(alone, 0)):
                torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    if options['out_type'] == 'featmap':
        assert together[0].shape == (3, 48, 8, 12)


@each_output
def test_per_image_is_exact(options):
    """Images with many, few and no segments, bit by bit as if alone."""
    model = tiny_cast(per_image=True, **options)
    inputs = torch.cat([random_inputs(2, 61, 90, seed=i) for i in range(4)])
    inputs[1, 3] = block_labels(61, 90, 7)
    inputs[2, 3] = 0
    inputs[3, 3] = -1
    with torch.no_grad():
        together, output = model(inputs), model.forward_hierarchy(inputs)
        for index in range(len(inputs)):
            image = inputs[index:index + 1].clone()
            for a, b in zip(per_image(together, index),
                            per_image(model(image), 0)):
                assert torch.equal(a, b)
            alone = model.forward_hierarchy(image)
            for level in range(5):
                assert torch.equal(output.hierarchy.label_map(level)[index],
                                   alone.hierarchy.label_map(level)[0])
            for a, b in zip([*output.sampled, *output.centroids],
                            [*alone.sampled, *alone.centroids]):
                assert torch.equal(a[index], b[0])
    # In training, statistics are those of the batch.
    assert tensors(model.train()(inputs))[0].requires_grad
    with pytest.raises(ValueError, match='`per_image` needs'):
        tiny_cast(per_image=True, mask_empty=False)


@each_output
def test_independent_of_label_numbers(options):
    """Gaps, as in a window of a larger map, and permutations."""
    model = tiny_cast(**options)
    inputs = random_inputs(2, 64, 96)
    sparse = inputs.clone()
    sparse[:, 3] = inputs[:, 3] * 1000 + 7
    permuted = inputs.clone()
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    permuted[:, 3] = order[inputs[:, 3].long()].float()
    with torch.no_grad():
        expected, gaps, shuffled = (
            tensors(model(x)) for x in (inputs, sparse, permuted))
    if options['out_type'] == 'segments':
        # Tokens are permuted with the labels.
        shuffled[1] = shuffled[1][:, order]
    for a, b, c in zip(expected, gaps, shuffled):
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(a, c, atol=1e-5, rtol=1e-4)


# --------------------------------------------------------- degenerate inputs


def degenerate_inputs():
    """Few segments, one, none, and one that the stem's grid misses."""
    inputs = random_inputs(4, 40, 56)
    inputs[0, 3] = block_labels(40, 56, 28)
    inputs[1, 3] = 3
    inputs[2, 3] = -float('inf')
    inputs[3, 3, :] = -1
    inputs[3, 3, 17:20, 17:20] = 5
    inputs[3, 3, 24:, :] = 9
    return inputs


@pytest.mark.parametrize('mask_empty', [True, False])
@each_output
def test_degenerate_inputs_are_finite(options, mask_empty):
    """In a batch, and one image without any segment alone."""
    model = tiny_cast(mask_empty=mask_empty, **options)
    for inputs in (degenerate_inputs(), degenerate_inputs()[2:3]):
        for mode in (False, True):
            values = tensors(model.train(mode)(inputs))
            assert all(value.isfinite().all() for value in values)
            sum(value.sum() for value in values).backward()
        assert all(p.grad is None or p.grad.isfinite().all()
                   for p in model.parameters())
        out = model.eval().forward_hierarchy(inputs)
        for values in (out.tokens, out.logits, out.centroids):
            assert all(value.isfinite().all() for value in values)


def test_fewer_tokens_than_clusters():
    inputs = degenerate_inputs()
    out = tiny_cast().forward_hierarchy(inputs)
    # 40 x 56 in blocks of 28: 4 segments; then 1, 0, and one on the grid.
    for empty in out.empty:
        assert (~empty).sum(1).tolist() == [4, 1, 0, 1]
    assert [(s >= 0).sum(1).tolist() for s in out.sampled
            ] == [[4, 1, 0, 1]] * 3 + [[2, 1, 0, 1]]
    # Pixels have a parent if and only if they have a label.
    for level in range(5):
        assert torch.equal(
            out.hierarchy.label_map(level) >= 0, inputs[:, 3] >= 0)
    # Parents are clusters that exist, also of the segment without a cell.
    for image in (0, 1, 3):
        parents = out.hierarchy.label_map(1)[image].unique()
        assert (out.sampled[0][image, parents[parents >= 0]] >= 0).all()


def test_segment_without_a_cell_does_not_change_the_others():
    inputs = random_inputs(1, 64, 96)
    hidden = inputs.clone()
    # 3 x 3 pixels between the cells' top-left corners.
    hidden[0, 3, 17:20, 17:20] = 100
    model = tiny_cast()
    with torch.no_grad():
        out = model.forward_hierarchy(hidden)
        torch.testing.assert_close(model(inputs)[0], model(hidden)[0])
    assert out.empty[0].tolist() == [[False] * 24 + [True]]
    assert out.hierarchy.label_map(1)[0, 18, 18] >= 0


def test_superpixels_of_the_unnormalised_image():
    """For images without a map."""
    model = tiny_cast(mean=(10., 20., 30.), std=(2., 3., 4.),
                      superpixels=dict(type='TorchSLIC', segment_size=16))
    inputs = random_inputs(2, 64, 96)
    pixels = torch.randint(0, 256, (2, 3, 64, 96)).float()
    inputs[:, :3] = (pixels - model.mean) / model.std
    inputs[:, 3] = model.superpixels(pixels)
    torch.testing.assert_close(model(inputs[:, :3]), model(inputs))


# ----------------------------------------------------------------- bad input


@pytest.mark.parametrize('inputs, error, message', [
    (torch.zeros(1, 5, 64, 64), ValueError,
     r'`inputs` must have shape \(B, 3, H, W\).*got \(1, 5, 64, 64\)'),
    (torch.zeros(1, 4, 64, 64).long(), TypeError, 'floating-point'),
    (torch.full((1, 4, 64, 64), float('nan')), ValueError,
     'integer labels, got NaN'),
    (torch.full((1, 4, 64, 64), 0.5), ValueError, 'got fractions'),
    (torch.full((1, 4, 64, 64), 2.**24), ValueError,
     'labels below 16777216.*got 16777216'),
    (torch.full((1, 4, 64, 64), 256.).bfloat16(), ValueError,
     'labels below 256.*keep the map in float32'),
])
def test_bad_inputs(inputs, error, message):
    with pytest.raises(error, match=message):
        tiny_cast()(inputs)


def test_large_labels():
    inputs = random_inputs(1, 64, 64)
    inputs[0, 3, 0] = 2**24 - 1
    assert tiny_cast()(inputs)[0].isfinite().all()
    with pytest.raises(ValueError, match='below the number of pixels'):
        tiny_cast(mask_empty=False)(inputs)


@pytest.mark.parametrize('options, message', [
    (dict(arch='large'), "`arch` must be one of .*'large'"),
    (dict(arch=dict(embed_dims=48, depths=(1, ), num_heads=5),
          num_clusters=()), '`num_heads` must divide'),
    (dict(arch=dict(embed_dims=36, depths=(1, ), num_heads=4),
          num_clusters=()), '`embed_dims` must be a multiple of 8'),
    (dict(num_clusters=(8, 4)), '`num_clusters` must have one'),
    (dict(out_type='feat'), '`out_type` must be one of'),
    (dict(out_type='featmap', out_indices=(4, )), 'must hold stages 0..3'),
    (dict(drop_path_rate=2.), '`drop_path_rate` .* at most 1'),
    (dict(frozen_stages=5), '`frozen_stages` .* at most 4, got 5'),
    (dict(num_tokens=8, mask_empty=False), 'needs `mask_empty=True`'),
    (dict(compile_cfg=dict()), '`compile_cfg` needs `num_tokens`'),
])
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        CAST(**{**TINY, **options})


@pytest.mark.parametrize('channels', [3, 4])
def test_is_traced(channels):
    """By the reference implementation; also with superpixels of its own."""
    model = tiny_cast(out_type='featmap')
    inputs = random_inputs()[:, :channels]
    traced = torch.jit.trace(model, inputs, check_trace=False)
    for actual, expected in zip(traced(inputs), model(inputs)):
        torch.testing.assert_close(actual, expected)
