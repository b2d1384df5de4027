"""The switch `compile` of MMEngine's runner."""

import os
import shutil

import pytest
import torch
from helpers.cast import random_inputs, tiny_cast
from helpers.pretraining import losses, train, write_config


@pytest.mark.slow
@pytest.mark.parametrize('backend', ['eager', 'aot_eager'])
def test_compiled_training_is_training(backend, tmp_path):
    """Graph breaks are allowed: sizes of segments are read as numbers.

    The default backend, inductor, takes minutes to compile all graphs of a
    pre-training; the test below has a smaller model.
    """
    config = write_config(tmp_path)
    options = ['--cfg-options', 'randomness.seed=0', 'train_cfg.max_epochs=1']
    expected = losses(train(config, tmp_path / 'plain', *options))
    output = train(config, tmp_path / 'compiled', *options,
                   f'compile.backend={backend}')
    assert 'Model has been "compiled"' in output
    assert len(expected) == 2
    assert list(map(float, losses(output))) == pytest.approx(
        list(map(float, expected)), rel=0.02)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which(os.environ.get('CXX', 'g++')) is None,
    reason='the backend inductor needs a C++ compiler')
@pytest.mark.parametrize('training', [False, True])
def test_inductor_computes_what_eager_does(training, monkeypatch):
    """Loss of a classifier and, in training, all gradients.

    Without dropout, for which inductor draws other random numbers.
    """
    # Processes that compile would outlive the test.
    monkeypatch.setattr('torch._inductor.config.compile_threads', 1)
    torch._dynamo.reset()
    backbone = tiny_cast(
        arch=dict(embed_dims=16, depths=(1, 1), num_heads=2),
        num_clusters=(4, ),
        pool_drop_rate=0.).train(training)
    head = torch.nn.Linear(16, 3)
    inputs, classes = random_inputs(2, 64, 96), torch.tensor([0, 2])
    parameters = dict(backbone.named_parameters())
    parameters = {n: p for n, p in parameters.items() if p.requires_grad}
    results = []
    for forward in (backbone, torch.compile(backbone)):
        with torch.set_grad_enabled(training):
            loss = torch.nn.functional.cross_entropy(
                head(forward(inputs)[0]), classes)
        gradients = torch.autograd.grad(
            loss, list(parameters.values())) if training else []
        results.append((loss, gradients))
    (loss, gradients), (compiled_loss, compiled_gradients) = results
    torch.testing.assert_close(compiled_loss, loss)
    largest = max((g.abs().max().item() for g in gradients), default=0)
    for name, expected, gradient in zip(parameters, gradients,
                                        compiled_gradients):
        # Some are zero but for rounding: biases of what softmax cancels.
        torch.testing.assert_close(
            gradient, expected, rtol=1e-4, atol=1e-6 * largest, msg=name)
