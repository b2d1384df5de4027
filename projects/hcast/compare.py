"""Do the levels agree? H-CAST and independent classifiers.

Trains and tests the small configs in this process::

    PYTHONPATH=. python projects/hcast/compare.py imagenette \
        --data data/imagenette --seeds 0 1 2

Results are kept in ``projects/hcast/results.json``; what is there is not
measured again. The table is printed.
"""

import argparse
from pathlib import Path
from uuid import uuid4

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor

from benchmarks.real.results import Results
from benchmarks.real.statistics import paired, summary
from benchmarks.report import markdown_table
from mmhierseg.registry import MODELS
from projects.hcast.hcast import HierarchicalClsHead

HERE = Path(__file__).parent
#: What differs from the config, of one model or of a model per level. The
#: first row is compared with the others.
ROWS: dict[str, list[dict]] = {
    'H-CAST': [{}],
    'heads without the KL term': [{'model.head.kl_weight': 0.}],
    'a model per level': [{
        'model.head.type': 'mmhierseg.OneLevelHead',
        'model.head.level': level
    } for level in range(2)],
}


@MODELS.register_module()
class OneLevelHead(HierarchicalClsHead):
    """Head of which one level is trained."""

    def __init__(self, level: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.level = level

    def loss(self, *args, **kwargs) -> dict[str, Tensor]:
        """Cross entropy of the level."""
        name = f'loss_{self.taxonomy.levels[self.level]}'
        return {name: super().loss(*args, **kwargs)[name]}


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Compare H-CAST with independent heads')
    parser.add_argument('dataset', choices=('imagenette', 'scenes'))
    parser.add_argument(
        '--data', type=Path, help='root of the dataset (default: data/NAME)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--rows', type=int, nargs='+', default=list(range(len(ROWS))),
        help='numbers of the rows to measure (default: all)')
    parser.add_argument(
        '--results', type=Path, default=HERE / 'results.json')
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/hcast'))
    return parser.parse_args()


def train_and_test(dataset: str, models: list[dict], seed: int,
                   data: Path | None, work_dir: Path) -> dict[str, float]:
    """Metrics after the last epoch; a model per level predicts its own."""
    runners = [train(dataset, options, seed, data, work_dir)
               for options in models]
    evaluator = runners[0].build_evaluator(runners[0].cfg.test_evaluator)
    loader = runners[0].build_dataloader(runners[0].cfg.test_dataloader)
    evaluator.dataset_meta = loader.dataset.metainfo
    for batch in loader:
        paths = []
        for runner in runners:
            with torch.no_grad():
                samples = runner.model.eval().test_step(batch)
            paths.append(torch.stack([x.pred_path for x in samples]))
        if len(runners) > 1:
            # Models write into the same data samples.
            own = torch.stack([x[:, i] for i, x in enumerate(paths)], dim=1)
            for sample, path in zip(samples, own):
                sample.pred_path = path
        evaluator.process(samples)
    return evaluator.evaluate(len(loader.dataset))


def train(dataset: str, options: dict, seed: int, data: Path | None,
          work_dir: Path) -> Runner:
    """Train a config of which some options differ."""
    cfg = Config.fromfile(HERE / f'configs/hcast-t_{dataset}.py')
    cfg.merge_from_dict({**options, 'randomness.seed': seed})
    if data is not None:
        cfg.train_dataloader.dataset.data_root = str(data)
        cfg.test_dataloader.dataset.data_root = str(data)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.default_hooks.checkpoint = None
    cfg.work_dir = str(work_dir)
    # MMEngine has one logger for runs of one name within a second.
    cfg.experiment_name = uuid4().hex
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def main() -> None:
    """Measure what is missing, and print the table."""
    args = parse_args()
    results = Results(args.results)
    names = [list(ROWS)[i] for i in args.rows]
    for seed in args.seeds:
        for name in names:
            results.measure(
                f'{args.dataset}, {name}, seed {seed}', train_and_test,
                args.dataset, ROWS[name], seed, args.data, args.work_dir)
    print(make_table(results, args.dataset))


def make_table(results: Results, dataset: str) -> str:
    """Means over seeds, and differences to the first row, in Markdown."""
    entries = results.entries()
    runs: dict[str, dict[str, dict]] = {}
    for key, entry in entries.items():
        kind, name, seed = key.split(', ')
        if kind == dataset:
            runs.setdefault(name, {})[seed] = entry['values']
    first = runs.get('H-CAST', {})
    columns = list(next(iter(next(iter(runs.values())).values())))
    rows = []
    for name in filter(runs.get, ROWS):
        cells = [name]
        for column in columns:
            values = {seed: x[column] for seed, x in runs[name].items()}
            cell = summary(list(values.values()))
            both = [seed for seed in values if seed in first]
            if name != 'H-CAST' and both:
                cell += '; ' + paired([values[seed] for seed in both],
                                      [first[seed][column] for seed in both])
            cells.append(cell)
        rows.append(cells)
    return markdown_table(
        [f'{dataset}, %', *(x.rpartition('/')[2] for x in columns)], rows)


if __name__ == '__main__':
    main()
