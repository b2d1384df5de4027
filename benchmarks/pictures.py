"""Pictures of a user's photograph: time, memory, and the size of its page.

``mmhierseg segment PHOTO --html --save-labels png`` with the model that
ships, on mosaics of photographs. Time is CPU time of a second call in the
process; that of the model alone has no figure, page or files. Memory is the
most that a process of its own has held, PyTorch included (Linux).
"""

import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks.images import make_mosaic
from benchmarks.report import Report, markdown_table
from benchmarks.timing import spread
from mmhierseg.apis import HierarchyInferencer

OPTIONS = dict(
    sizes=dict(nargs='+', default=['640x480', '4000x3000', '6000x4000'],
               quick=['640x480'], help='width x height'),
    repeats=dict(type=int, default=5, quick=1, help='rounds'))
#: Prints the most memory of a process that segments a photograph.
_CHILD = """
import re, sys, torch
torch.set_num_threads(int(sys.argv[3]))
from mmhierseg.apis import HierarchyInferencer
HierarchyInferencer(device=sys.argv[4], show_progress=False)(
    sys.argv[1], return_vis=False, return_labels=False, out_dir=sys.argv[2],
    save_labels='png', html=True)
# Unlike resource.getrusage, without the process that has started this one.
print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])
"""


def run(args: Namespace) -> Report:
    """Measure each size."""
    rows, results = [], {}
    for size in args.sizes:
        args.progress(size)
        results[size] = measure(size, args)
        one = results[size]
        rows.append([
            size, f'{one["model"]:.2f}', f'{one["all"]:.2f}',
            f'{one["all"] / one["model"]:.1f}', f'{one["MB"]:.0f}',
            f'{one["page MB"]:.1f}'
        ])
    return Report({f'pictures on {args.place}': markdown_table(
        ['photograph', 'model alone, s', 'with figure, page and labels, s',
         'ratio', 'memory, MB', 'page, MB'], rows)}, results)


def measure(size: str, args: Namespace) -> dict[str, float]:
    """Medians of CPU seconds, and megabytes, of one size."""
    width, height = map(int, size.split('x'))
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / 'photo.jpg', Path(folder) / 'out'
        make_mosaic(width, height).save(path, quality=85)
        output = subprocess.run(
            [sys.executable, '-c', _CHILD, path, out, str(args.threads),
             args.device],
            check=True, capture_output=True, text=True).stdout
        inferencer = HierarchyInferencer(
            device=args.device, show_progress=False)
        files = dict(out_dir=str(out), save_labels='png', html=True)
        calls = {
            name: lambda options=options: inferencer(
                str(path), return_vis=False, return_labels=False, **options)
            for name, options in (('model', {}), ('all', files))
        }
        return {
            **{name: _median(call, args.repeats)
               for name, call in calls.items()},
            'MB': int(output.split()[-1]) / 1e3,
            'page MB': (out / 'photo.html').stat().st_size / 1e6,
        }


def _median(call: Callable[[], object], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return spread(seconds).median
