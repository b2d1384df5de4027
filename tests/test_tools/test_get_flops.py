import re

import pytest
import torch
import torch.nn.functional as F
from helpers.configs import ROOT
from helpers.scripts import load_script, run_main
from torch import nn

from mmhierseg._base.errors import UserError

TOOL = 'analysis_tools/get_flops.py'
CAST = ROOT / 'configs/cast/cast-s_in1k.py'


@pytest.fixture
def run(capsys):
    """Function that counts in this process, and returns what is printed."""

    def count(*words):
        run_main(TOOL, *words)
        return capsys.readouterr().out

    return count


def numbers(output):
    """Operations in G and parameters in M."""
    return tuple(
        float(re.search(rf'{name}: *([\d.]+)', output)[1])
        for name in ('operations', 'parameters'))


@pytest.mark.slow
@pytest.mark.parametrize('config, operations, parameters', [
    # Published: 3.4, 4.7 and 4.5 G. See configs/cast/README.md.
    ('cast/cast-s_in1k', 3.04, 27.65),
    ('baselines/vit-conv-s_in1k', 4.61, 20.62),
    ('baselines/swin-t_in1k', 4.51, 27.52),
    # With its head of 1000 classes.
    ('cast/cast-s_deit_in1k', 3.04, 28.34),
])
def test_papers_models(run, config, operations, parameters):
    output = run(ROOT / f'configs/{config}.py')
    assert numbers(output) == (operations, parameters)
    assert 'image:      224 x 224' in output


def test_size_of_images_and_segments(run):
    output = run(CAST, '--shape', 32, 64, '--segment-size', 8,
                 '--cfg-options', 'model.backbone.num_clusters=(8,6,4,2)')
    assert 'image:      32 x 64' in output
    # 4 x 8 segments and the class token: three blocks of 12 N C^2 products
    # in linear layers and 2 N^2 C in attention, and two norms of 5 N C.
    n, c = 33, 384
    expected = 3 * (12 * n * c**2 + 2 * n**2 * c + 2 * 5 * n * c) / 1e9
    stage = re.search(r'stages.0 +([\d.]+) G', output)[1]
    assert float(stage) == pytest.approx(expected, abs=0.005)


@pytest.mark.slow
def test_segmentor(tool, segmentor_config):
    output = tool(TOOL, segmentor_config, '--shape', 64)
    assert 'backbone' in output and 'decode_head' in output
    assert numbers(output)[1] > 0


def test_attention_is_counted_as_its_products():
    """MMEngine does not see it inside the fused function."""

    class Fused(nn.Module):

        def forward(self, x):
            return F.scaled_dot_product_attention(x, x[:, :, :5], x[:, :, :5])

    inputs = torch.randn(2, 3, 7, 4)
    # 2 images x 3 heads x 7 queries x 5 keys x (4 + 4) channels.
    flops, *_ = load_script(TOOL).count(Fused(), inputs)
    assert flops.total() == 2 * 3 * 7 * 5 * 8


@pytest.mark.parametrize('words, message', [
    (['missing.py'], 'there is no config file'),
    ([ROOT / 'configs/_base_/default_runtime.py'], 'has no `model`'),
    ([CAST, '--shape', '1', '2', '3'],
     '--shape takes one or two numbers, got 3'),
])
def test_bad_arguments(words, message, run, capsys):
    with pytest.raises((SystemExit, UserError)) as error:
        run(*words)
    assert message in str(error.value) + capsys.readouterr().err
