"""The command ``mmhierseg``."""

import argparse
import sys
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
        'segment', help='draw the hierarchies of images and videos')
    add.add_argument(
        'inputs', nargs='+', metavar='INPUT',
        help='image file, folder of images, or video')
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
        '--num-segments', type=int, metavar='K',
        help='one segmentation into K segments instead of the levels')
    add.add_argument(
        '--connected', action='store_true',
        help='split its segments into connected pieces')
    add.add_argument(
        '--recursive',
        action='store_true',
        help='take the images in the folders of a folder, too')
    add.add_argument(
        '--overwrite', action='store_true',
        help='do images again whose figure exists')
    add.add_argument(
        '--html', action='store_true',
        help='write a page of each image, and an index of all')
    add.add_argument(
        '--save-labels',
        choices=['png', 'npz', 'coco'],
        help='write the segments, too: PNGs in colours (label + 1, 0 = none), '
        'one NPZ (-1 = none) or the JSON of COCO per image; of a video, an '
        'NPZ per frame')
    add.add_argument(
        '--device', help='e.g. cpu or cuda:0 (default: a GPU if there is one)')
    add.set_defaults(run=_segment)


def _segment(args: argparse.Namespace, rest: list[str]) -> None:
    from mmhierseg.apis.images import image_names, list_images
    try:
        images = list_images(list(args.inputs), exclude=args.out)
        if not args.recursive:
            images = _without_subfolders(images, args.inputs)
        names = image_names(images, list(args.inputs))
    except (OSError, ValueError) as error:
        raise UserError(error) from error
    out = Path(args.out)
    todo = {image: name for image, name in zip(images, names)
            if args.overwrite or not _is_done(out, image, name, args)}
    if len(todo) < len(images):
        print(f'{len(images) - len(todo)} of {len(images)} images are done; '
              '--overwrite does them again')
    errors = _segment_images(args, todo) if todo else []
    if args.html:
        from mmhierseg.visualization import index_page
        (out / 'index.html').write_text(index_page(
            [name for name in names if (out / f'{name}.html').exists()]),
            encoding='utf-8')
        print(f'  {out / "index.html"}')
    if errors:
        raise UserError('\n  '.join([
            f'{len(errors)} of {len(images)} files could not be read',
            *(message for _, message in errors)]))


def _without_subfolders(images: list[str], inputs: list[str]) -> list[str]:
    folders = {Path(name) for name in inputs if Path(name).is_dir()}
    kept = [image for image in images if Path(image).parent in folders or not
            any(folder in Path(image).parents for folder in folders)]
    if not kept:
        raise UserError('there are no images in the folder itself; '
                        '--recursive takes those in its folders')
    return kept


def _is_done(out: Path, source: str, name: str,
             args: argparse.Namespace) -> bool:
    from mmhierseg.apis.video import is_video
    if is_video(source):
        return (out / f'{name}_hierarchy.mp4').exists()
    return (out / f'{name}_hierarchy.png').exists() and (
        not args.html or (out / f'{name}.html').exists())


def _segment_images(args: argparse.Namespace,
                    names: dict[str, str]) -> list[tuple[str, str]]:
    """Write what was asked for; returns what could not be read."""
    from mmhierseg.apis import HierarchyInferencer
    try:
        results = HierarchyInferencer(args.model, device=args.device)(
            list(names),
            names=list(names.values()),
            return_vis=False,
            out_dir=args.out,
            save_labels=args.save_labels,
            return_labels=False,
            num_segments=args.num_segments,
            connected=args.connected,
            html=args.html,
            skip_errors=True)
    except ModuleNotFoundError:
        raise
    except (ImportError, OSError, ValueError) as error:
        raise UserError(error) from error
    for prediction in results['predictions']:
        counts = ', '.join(map(str, prediction['num_segments'])) + ' segments'
        if 'num_frames' in prediction:
            counts = f'{prediction["num_frames"]} frames'
        print(f'{prediction["name"]}: {counts}')
        for path in prediction['files']:
            print(f'  {path}')
    return results['errors']


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
