"""The switch `compile` of MMEngine's runner."""

import pytest
from helpers.pretraining import losses, train, write_config


@pytest.mark.slow
def test_compiled_training_is_training(tmp_path):
    """Graph breaks are allowed: sizes of segments are read as numbers.

    The backend aot_eager traces forward and backward pass and runs the graphs
    as they are, so it includes what the backend eager does.

    The default backend, inductor, takes minutes to compile all graphs: what
    it computes was compared once, see docs/training.md.
    """
    config = write_config(tmp_path)
    options = ['--cfg-options', 'randomness.seed=0', 'train_cfg.max_epochs=1']
    expected = losses(train(config, tmp_path / 'plain', *options))
    output = train(config, tmp_path / 'compiled', *options,
                   'compile.backend=aot_eager')
    assert 'Model has been "compiled"' in output
    assert len(expected) == 2
    assert list(map(float, losses(output))) == pytest.approx(
        list(map(float, expected)), rel=0.02)
