"""The switch `compile` of MMEngine's runner."""

import pytest
from helpers.pretraining import losses, train, write_config


@pytest.mark.slow
def test_compiled_training_is_training(tmp_path):
    """The backend aot_eager traces both passes; graph breaks are allowed."""
    config = write_config(tmp_path)
    options = ['--cfg-options', 'randomness.seed=0', 'train_cfg.max_epochs=1']
    expected = losses(train(config, tmp_path / 'plain', *options))
    output = train(config, tmp_path / 'compiled', *options,
                   'compile.backend=aot_eager')
    assert 'Model has been "compiled"' in output
    assert len(expected) == 2
    assert list(map(float, losses(output))) == pytest.approx(
        list(map(float, expected)), rel=0.02)
