"""Goals of segmentation: against MMSegmentation's Segmenter with ViT-S."""

from functools import cache, partial
from typing import Dict

from benchmarks.common.memory import peak_bytes
from benchmarks.common.timing import paired_ratio, spread, take_turns
from benchmarks.dense.work import BASELINE, SegmentorStep

from .goal import Goal, Measured, Settings, run_threads

__all__ = ['GOALS']

#: Images of a step, as in `benchmarks/dense`.
_BATCH = 2
#: By what CAST gives out, the segmentor of `benchmarks/dense`.
_OWN = {
    'segments': 'Segmenter, CAST-S',
    'featmap': 'Segmenter on a map of CAST-S'
}


@cache
def measure_mode(settings: Settings, training: bool) -> Dict[str, dict]:
    """Time all segmentors in turns, and count the memory of each.

    Args:
        settings (Settings): Of the run.
        training (bool): Whether a step trains.

    Returns:
        Dict[str, dict]: By segmentor, ``seconds`` of each round and ``peak``
        in bytes.
    """
    with run_threads(settings.threads):
        steps = {
            name: SegmentorStep(name, training, _BATCH, settings.large_size,
                                settings.device)
            for name in (BASELINE, *_OWN.values())
        }
        # The first step of each; it allocates what the optimizer keeps.
        for step in steps.values():
            step()
        peaks = {name: peak_bytes(step, settings.device) + step.held_bytes()
                 for name, step in steps.items()}
        seconds = take_turns(steps, settings.rounds, warmup=1,
                             device=settings.device)
    return {name: dict(seconds=seconds[name], peak=peaks[name])
            for name in steps}


def _time(settings: Settings, output: str, training: bool) -> Measured:
    measured = measure_mode(settings, training)
    own, base = (measured[name]['seconds'] for name in (_OWN[output],
                                                        BASELINE))
    times = [spread(x).median / _BATCH for x in (own, base)]
    return Measured(
        paired_ratio(own, base).median,
        f'{times[0]:.2f} : {times[1]:.2f} s an image')


def _memory(settings: Settings, output: str, training: bool) -> Measured:
    measured = measure_mode(settings, training)
    own, base = (measured[name]['peak'] for name in (_OWN[output], BASELINE))
    return Measured(own / base,
                    f'{own / 2**20:.0f} : {base / 2**20:.0f} MiB')


GOALS = [
    Goal(f'dense-{output}-{task}-{quantity}',
         f'segmentation at 512, {task}, {output}: {quantity} of CAST-S over '
         'Segmenter ViT-S', 1., False,
         partial(function, output=output, training=task == 'training'),
         devices=('cpu', 'cuda'))
    for output in _OWN
    for task in ('inference', 'training')
    for quantity, function in (('time', _time), ('memory', _memory))
]
