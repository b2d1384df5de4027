"""Compare the hierarchy of segments of any method with ground truth.

PRED is a folder with files that are named as the images::

    NAME.npz                 HierarchyResult.save, or an array for each level
    NAME_level_0.png, ...    a label map for each level, fine to coarse; or
                             NAME.png in a folder for each level
    NAME.png, .npy, .mat     ultrametric map, (2H + 1, 2W + 1); --ultrametric
                             if it is (H, W)
    NAME.json                masks as COCO has them, which need not nest

or a JSON file of COCO's results. GT is a folder of BSDS500's ``.mat``, of PNGs
with ids or classes, or of SA-1B's JSON; or a COCO-style JSON file, of whose
parts (PartImageNet) the wholes are known, too. For instance::

    mmhierseg segment photos --out out --save-labels npz
    python tools/analysis_tools/evaluate_hierarchy.py out groundTruth/test

Writes ``summary.json``, ``table.md`` and ``curves.png``; what was measured
before in the same folder is kept.
"""

import argparse
import json
import math
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from hierarchy_measures import METRICS, measure, summarize
from hierarchy_predictions import (
    Options,
    find_predictions,
    read_hierarchy,
    read_results_file,
)
from hierarchy_report import markdown, plot
from hierarchy_truths import Source, find_truths, read_truth
from mmengine.utils import track_iter_progress

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.atomic import write_atomically
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.files import some


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(
        description='Compare hierarchies of segments with ground truth',
        epilog='Formulas: mmhierseg.evaluation.functional.')
    parser.add_argument('pred', type=Path, help='folder, or COCO results')
    parser.add_argument('gt', type=Path, help='folder, or COCO-style JSON')
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/evaluate_hierarchy'),
        help='folder for the results (default: %(default)s)')
    parser.add_argument(
        '--metrics', nargs='+', choices=METRICS, default=METRICS,
        help='default: all; agreement is covering, VI and PRI')
    parser.add_argument(
        '--thresholds', nargs='+', type=float, default=(),
        help='of ultrametric maps (default: 26 even steps)')
    parser.add_argument(
        '--numbers', nargs='+', type=int, default=(),
        help='numbers of segments that files of HierarchyResult.save are cut '
        'into (default: their levels)')
    parser.add_argument(
        '--ultrametric', action='store_true',
        help="maps of the image's size are ultrametric")
    parser.add_argument(
        '--one-to-one', action='store_true',
        help='match each boundary pixel with at most one other, as the '
        'benchmark of BSDS500 does: 100 times slower')
    parser.add_argument(
        '--background', type=int, default=0,
        help='id in a PNG that is no region; -1: none (default: 0)')
    parser.add_argument(
        '--ignore-index', type=int, default=255,
        help='id in a PNG of pixels that are left out (default: 255)')
    parser.add_argument(
        '--max-masks', type=int, default=1000,
        help='masks of an image at most (default: 1000)')
    parser.add_argument(
        '--workers', type=int, default=os.cpu_count(),
        help='processes (default: number of cores)')
    return parser.parse_args()


def measure_file(args: argparse.Namespace,
                 job: tuple[str, list, Source]) -> tuple[str, dict]:
    """Measure one image; errors name it."""
    name, files, source = job
    options = Options(tuple(args.thresholds), tuple(args.numbers),
                      args.ultrametric, args.max_masks)
    try:
        truth = read_truth(source, args.background, args.ignore_index)
        hierarchy = read_hierarchy(files, truth.size, options)
        return name, measure(hierarchy, truth, args.metrics, args.one_to_one,
                             args.max_masks)
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise UserError(f'{name}: {error}') from error


def pair_up(args: argparse.Namespace) -> list[tuple[str, list, Source]]:
    """Predictions and truths by name, in the order of the names."""
    truths = find_truths(args.gt)
    if args.pred.is_file():
        results = read_results_file(args.pred)
        preds = {name: results.get(source.image_id, results.get(name, []))
                 for name, source in truths.items()}
        if not any(preds.values()):
            raise UserError(f"no 'image_id' in {str(args.pred)!r} is that of "
                            f'an image of {str(args.gt)!r}')
    else:
        preds = find_predictions(args.pred)
        missing = sorted(truths.keys() - preds)
        if missing:
            raise UserError(
                f'{len(missing)} of {len(truths)} images have no prediction '
                f'in {str(args.pred)!r}: {some(missing)}')
    return [(name, preds[name], truths[name]) for name in sorted(truths)]


def stamp(args: argparse.Namespace, job: tuple[str, list, Source]) -> str:
    """Options, and path, size and time of the files that a result is of."""
    _, files, source = job
    paths = [source.path, *(files if files and isinstance(files[0], Path)
                            else [args.pred])]
    options = {key: str(value) for key, value in vars(args).items()
               if key not in ('out', 'workers')}
    return json.dumps([options, [
        (str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns)
        for path in paths]])


def read_log(path: Path) -> dict[str, tuple[str, dict]]:
    """Results so far by name, with their stamps."""
    found = {}
    content = path.read_bytes() if path.exists() else b''
    for line in content.splitlines():
        try:
            name, key, result = json.loads(line)
            found[name] = key, result
        except (ValueError, TypeError):
            continue  # cut off, or damaged
    return found


def measure_all(args: argparse.Namespace, jobs: list) -> list[dict]:
    """Results of all images, in their order; each is kept at once."""
    log = args.out / 'images.jsonl'
    known = read_log(log)
    stamps = {job[0]: stamp(args, job) for job in jobs}
    results = {name: known[name][1] for name, key in stamps.items()
               if name in known and known[name][0] == key}
    todo = [job for job in jobs if job[0] not in results]
    if results:
        print(f'{len(results)} of {len(jobs)} images are measured already')
    # Without outdated lines, and one that was cut off.
    write_atomically(log, ''.join(
        json.dumps([name, stamps[name], result]) + '\n'
        for name, result in results.items()).encode())
    with log.open('a') as file:
        for name, result in track_iter_progress(
                (run(args, todo), len(todo))) if todo else ():
            results[name] = json.loads(json.dumps(result))
            file.write(json.dumps([name, stamps[name], result]) + '\n')
            file.flush()
    return [results[name] for name, *_ in jobs]


def run(args: argparse.Namespace, todo: list) -> Iterable[tuple[str, dict]]:
    """Measure images in several processes."""
    work = partial(measure_file, args)
    if args.workers == 1 or len(todo) == 1:
        yield from map(work, todo)
        return
    with ProcessPoolExecutor(args.workers) as pool:
        try:
            yield from pool.map(work, todo)
        except BrokenProcessPool as error:
            raise UserError('a process was killed, as if memory ran out: try '
                            'fewer --workers') from error
        finally:  # do not begin the others after an error
            pool.shutdown(wait=False, cancel_futures=True)


def main() -> None:
    """Evaluate, and write the results."""
    args = parse_args()
    if not all(map(math.isfinite, args.thresholds)):
        raise UserError('--thresholds must be finite')
    if args.workers < 1 or args.max_masks < 1:
        raise UserError('--workers and --max-masks must be at least 1, got '
                        f'{args.workers} and {args.max_masks}')
    jobs = pair_up(args)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'--out is no folder that can be made: {error}'
                        ) from error
    summary = summarize(measure_all(args, jobs))
    text = markdown(summary, f'{args.pred.name} against {args.gt.name}')
    # JSON has no NaN.
    content = json.loads(json.dumps(summary), parse_constant=lambda _: None)
    write_atomically(args.out / 'summary.json',
                     json.dumps(content, indent=1).encode())
    write_atomically(args.out / 'table.md', text.encode())
    plot(summary, args.out / 'curves.png')
    print(f'\n{text}\nWritten to {args.out}')


if __name__ == '__main__':
    raise SystemExit(run_command(main))
