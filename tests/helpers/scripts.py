"""Run the command-line tools, as modules or in this process."""

import importlib.util
import io
import os
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from unittest.mock import patch

from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from mmhierseg._base.errors import run_command
from mmhierseg.cli import launch
from mmhierseg.cli.records import start_record

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


def load_script(name):
    """Import a tool, by its path below tools/; it is not in sys.modules."""
    spec = importlib.util.spec_from_file_location(
        f'script_{Path(name).stem}', TOOLS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_main(name, *words):
    """Run a tool in this process, by its path below tools/."""
    with patch('sys.argv', [name, *map(str, words)]):
        load_script(name).main()


def run_in_process(name, *words, cwd='.', status=0):
    """Exit status and output of train.py or test.py, run in this process.

    ``status`` is the exit status that it must have, if any.
    """
    words = [str(word) for word in words]
    if name == 'test.py':
        main = partial(launch.test, words, start_record)
    else:
        main = partial(launch.train, words)
    output = io.StringIO()
    # Names of loggers and the like are times in seconds.
    for manager in (DefaultScope, MessageHub, MMLogger, Visualizer,
                    *Visualizer.__subclasses__()):
        manager._instance_dict.clear()
    before = os.getcwd()
    os.chdir(cwd)
    try:
        with patch.dict(os.environ), patch('sys.argv', [name]), \
                redirect_stdout(output), redirect_stderr(output):
            result = run_command(main)
    finally:
        os.chdir(before)
    assert status in (None, result), output.getvalue()[-5000:]
    return result, output.getvalue()
