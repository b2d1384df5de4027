"""The command ``mmhierseg``."""

import argparse
import sys
import warnings
from functools import partial
from pathlib import Path

from mmhierseg._base.errors import UserError, run_command
from mmhierseg.version import __version__

_HOSTS = ('mmengine', 'mmcv', 'mmpretrain', 'mmseg')


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns its exit status.

    Args:
        argv (list[str], optional): Arguments. None: the command line's.
    """
    args, rest = _parse(argv)
    # Of no use to a user, and repeated by every process.
    for message in ("Only use 'alpha' for pillow backend",
                    'Fail to import ``MultiScaleDeformableAttention``'):
        warnings.filterwarnings('ignore', message=message)
    return run_command(partial(_run, args, rest))


def _run(args: argparse.Namespace, rest: list[str]) -> None:
    try:
        args.run(args, rest)
    except ModuleNotFoundError as error:
        if (error.name or '').split('.')[0] not in _HOSTS:
            raise
        raise UserError(
            f'{error.name} is not installed. `pip install '
            "'mmhierseg[onedl]'` installs it with the other OpenMMLab "
            'packages') from error


def _parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog='mmhierseg', description='Hierarchical image segmentation.')
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    _add_segment(commands)
    add = commands.add_parser('list-models', help='names of models')
    add.add_argument('pattern', nargs='?', metavar='PATTERN', help="'cast-*'")
    add.set_defaults(run=_list_models)
    add = commands.add_parser(
        'convert', help="convert a checkpoint of the papers' authors")
    add.add_argument('src', metavar='SRC', help="the authors' file")
    add.add_argument('dst', metavar='DST', help='file to write')
    add.set_defaults(run=_convert)
    for name, run, text in (('train', _train, 'train a model'),
                            ('test', _test, 'test a model')):
        add = commands.add_parser(name, help=text, add_help=False)
        add.set_defaults(run=run)
    args, rest = parser.parse_known_args(argv)
    if rest and args.run not in (_train, _test):
        parser.error(f'unrecognized arguments: {" ".join(rest)}')
    return args, rest


def _add_segment(commands) -> None:
    add = commands.add_parser(
        'segment', help='draw the hierarchies of images')
    add.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='image file or folder')
    add.add_argument(
        '--model',
        default='cast-t_imagenette',
        metavar='NAME',
        help='name of a model (default: %(default)s)')
    add.add_argument(
        '--out',
        default='outputs',
        metavar='DIR',
        help='folder to write to (default: %(default)s)')
    add.add_argument(
        '--recursive',
        action='store_true',
        help='take the images in the folders of a folder, too')
    add.add_argument(
        '--overwrite', action='store_true', help='replace existing files')
    add.add_argument(
        '--save-labels',
        choices=['png', 'npz'],
        help='write label maps, too: 16-bit PNGs (label + 1, 0 = none) or '
        'one NPZ (-1 = none) per image')
    add.add_argument(
        '--device', help='e.g. cpu or cuda:0 (default: a GPU if there is one)')
    add.set_defaults(run=_segment)


def _segment(args: argparse.Namespace, rest: list[str]) -> None:
    from mmhierseg.apis import HierarchyInferencer
    from mmhierseg.apis.images import image_names, list_images
    try:
        inputs = list(args.inputs)
        images = list_images(inputs, exclude=args.out)
        if not args.recursive:
            folders = {Path(name) for name in inputs if Path(name).is_dir()}
            files = {Path(name) for name in inputs} - folders
            inputs = images = [
                image for image in images
                if Path(image) in files or Path(image).parent in folders
            ]
            if not images:
                raise UserError('there are no images in the folder itself; '
                                '--recursive takes those in its folders')
        if not args.overwrite:
            _check_new(Path(args.out), image_names(images, inputs))
        results = HierarchyInferencer(
            args.model, device=args.device)(
                inputs,
                return_vis=False,
                out_dir=args.out,
                save_labels=args.save_labels,
                return_labels=False)
    except ModuleNotFoundError:
        raise
    except (ImportError, OSError, ValueError) as error:
        raise UserError(error) from error
    for prediction in results['predictions']:
        counts = ', '.join(map(str, prediction['num_segments']))
        print(f'{prediction["name"]}: {counts} segments')
        for path in prediction['files']:
            print(f'  {path}')


def _check_new(folder: Path, names: list[str]) -> None:
    """Check that nothing would be replaced."""
    for name in names:
        path = folder / f'{name}_hierarchy.png'
        if path.exists():
            raise UserError(f'{str(path)!r} exists. --overwrite replaces it, '
                            '--out names another folder')


def _list_models(args: argparse.Namespace, rest: list[str]) -> None:
    from mmhierseg.apis import list_models
    for name in list_models(args.pattern):
        print(name)


def _convert(args: argparse.Namespace, rest: list[str]) -> None:
    from mmhierseg.cli.convert import convert
    convert(args.src, args.dst)


def _train(args: argparse.Namespace, rest: list[str]) -> None:
    from mmhierseg.cli.launch import train
    sys.argv[0] = 'mmhierseg train'  # the name in messages
    train(rest)


def _test(args: argparse.Namespace, rest: list[str]) -> None:
    from mmhierseg.cli.launch import test
    from mmhierseg.cli.records import start_record
    sys.argv[0] = 'mmhierseg test'
    test(rest, record=start_record)


if __name__ == '__main__':
    sys.exit(main())
