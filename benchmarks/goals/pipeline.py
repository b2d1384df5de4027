"""The goal of the input pipeline: TorchSLIC against SEEDS in the loader."""

import tempfile
from pathlib import Path

from benchmarks.common.timing import paired_ratio, spread, take_turns
from benchmarks.pipeline.photographs import write_photographs
from benchmarks.pipeline.work import BASELINE, Pass

from .goal import Goal, Measured, Settings, run_threads

__all__ = ['GOALS']

_OWN = 'TorchSLIC in the loader'


def _images_per_second(settings: Settings) -> Measured:
    """In one process, on one core."""
    with tempfile.TemporaryDirectory() as folder, run_threads(1):
        write_photographs(Path(folder), settings.images)
        passes = {
            name: Pass(name, Path(folder), 2, 0, 'cpu', settings.img_size)
            for name in (_OWN, BASELINE)
        }
        seconds = take_turns(passes, settings.rounds, warmup=1,
                             min_seconds=0.)
    rates = [settings.images / spread(seconds[name]).median
             for name in (_OWN, BASELINE)]
    return Measured(
        paired_ratio(seconds[BASELINE], seconds[_OWN]).median,
        f'{rates[0]:.1f} : {rates[1]:.1f} images/s')


GOALS = [
    Goal('pipeline', 'pipeline of MoCo v3, images per second: TorchSLIC over '
         'SEEDS (15, 20) in the loader', 1.3, True, _images_per_second),
]
