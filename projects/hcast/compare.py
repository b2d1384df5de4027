"""Does the joint loss make the levels agree? H-CAST and independent heads.

Trains and tests the small configs, each in this process::

    PYTHONPATH=. python projects/hcast/compare.py imagenette \
        --data data/imagenette --seeds 0 1 2

Results are kept in ``projects/hcast/results.json``; what is there is not
measured again. The table is printed.
"""

import argparse
from pathlib import Path
from uuid import uuid4

from mmengine.config import Config
from mmengine.runner import Runner

from benchmarks.real.results import Results
from benchmarks.real.statistics import paired, summary
from benchmarks.report import markdown_table

HERE = Path(__file__).parent
#: What differs from the config; the first row is compared with the others.
ROWS: dict[str, dict] = {
    'H-CAST': {},
    'independent heads': {'model.head.kl_weight': 0.},
    'independent heads on the last token': {
        'model.head.kl_weight': 0.,
        'model.backbone.out_indices': [3, 3]
    },
}


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


def train_and_test(dataset: str, options: dict, seed: int, data: Path | None,
                   work_dir: Path) -> dict[str, float]:
    """Metrics of the last epoch."""
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
    return runner.test()


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
