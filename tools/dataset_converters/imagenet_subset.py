r"""Make a subset of ImageNet, such as ImageNet-100, from a list of classes.

::

    python tools/dataset_converters/imagenet_subset.py \
        data/imagenet data/imagenet100 --classes imagenet100.txt

SRC holds a folder for each class in train/ and val/ (a val/ that holds all
images in one heap has to be sorted first). The list names one folder a line;
what follows the name, empty lines and lines that start with # are passed over.
The 100 classes of the papers are those of "Contrastive Multiview Coding" (Tian
et al., ECCV 2020), whose authors publish such a list with their code.

OUT gets the same layout; its class folders are links to those of SRC or, with
``--copy``, copies of them. Nothing is written before everything has been
looked at. An interrupted run is taken up where it stopped: what is complete is
left alone.
"""

import argparse
import difflib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mmengine.utils import ProgressBar

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command

# Those of MMPretrain's ImageNet.
IMAGES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')


def parse_args(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Make a subset of ImageNet from a list of classes')
    parser.add_argument('src', type=Path, help='ImageNet')
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.add_argument(
        '--classes',
        type=Path,
        required=True,
        metavar='FILE',
        help='text file with the name of a class folder on each line')
    parser.add_argument(
        '--splits',
        nargs='+',
        default=['train', 'val'],
        help='folders of SRC to take (default: train val)')
    parser.add_argument(
        '--copy',
        action='store_true',
        help='copy the images instead of linking to their folders')
    return parser.parse_args(argv)


def read_classes(path: Path) -> list[str]:
    """Read the list of classes.

    Args:
        path (Path): Text file, one class a line.

    Returns:
        List[str]: Names of folders, in the order of the file.

    Raises:
        UserError: If the file cannot be read, is empty, or names a class
            twice or something that is no name of a folder.
    """
    try:
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f'cannot read the list of classes {str(path)!r}: {error}'
        ) from error
    names = [
        line.split()[0] for line in lines
        if line.strip() and not line.lstrip().startswith('#')
    ]
    if not names:
        raise UserError(f'{path} names no class: it must have the name of '
                           'a class folder, such as n01558993, on each line')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'{path} names {_some(twice)} more than once')
    paths = [name for name in names
             if name in ('.', '..') or '/' in name or '\\' in name]
    if paths:
        raise UserError(f'{path}: {_some(paths)} must be the name of a '
                           'folder, not a path')
    return names


def check_source(src: Path, splits: list[str], classes: list[str]) -> None:
    """Check that every class is there and has an image.

    Raises:
        UserError: If not; the message names what is missing.
    """
    for split in splits:
        folder = src / split
        if not folder.is_dir():
            raise UserError(
                f'there is no folder {str(folder)!r}; name the folders of '
                f'{src} that are to be taken with --splits')
        known = sorted(p.name for p in folder.iterdir() if p.is_dir())
        if not known:
            raise UserError(
                f'{folder} has no class folders: sort its images into one '
                'folder for each class first, or leave it out with --splits')
        unknown = [name for name in classes if name not in set(known)]
        if unknown:
            near = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f' (for {unknown[0]}, did you mean {near[0]}?)' if near \
                else f'; its folders are named like {known[0]}'
            raise UserError(f'{folder} has no class {_some(unknown)}'
                               f'{hint}')
        empty = [name for name in classes
                 if next(images_in(folder / name), None) is None]
        if empty:
            raise UserError(
                f'{folder} has no image in {_some(empty)}: the data set is '
                'incomplete, unpack these classes again')


def check_target(args: argparse.Namespace, classes: list[str]) -> None:
    """Check that OUT may be written to.

    Raises:
        UserError: If it is SRC, or holds something else.
    """
    src, out = args.src.resolve(), args.out.resolve()
    if src == out or src in out.parents:
        raise UserError(f'OUT ({out}) must lie outside of SRC ({src})')
    for split in args.splits:
        folder = args.out / split
        if not folder.is_dir():
            continue
        names = sorted(path.name for path in folder.iterdir())
        others = [name for name in names if name not in classes]
        if others:
            raise UserError(
                f'{folder} holds {_some(others)}, which the list does not '
                'name; name another OUT, or remove what is there')
        wrong = [name for name in names
                 if (folder / name).is_symlink() == args.copy]
        if wrong:
            made = 'links' if args.copy else 'copies'
            raise UserError(
                f'{folder} was made of {made} ({_some(wrong)}); go on '
                f'{"without" if args.copy else "with"} --copy, or name '
                'another OUT')


def images_in(folder: Path) -> Iterator[Path]:
    """Images of a class, the first as soon as it is found."""
    return (path for path in folder.rglob('*')
            if path.suffix.lower() in IMAGES and path.is_file())


def link_class(source: Path, target: Path) -> bool:
    """Link to the folder of a class; whether there was something to do."""
    source = source.resolve()
    if target.is_symlink():
        if target.resolve() == source:
            return False
        # SRC has moved since.
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(source, target_is_directory=True)
    return True


def copy_class(source: Path, target: Path) -> bool:
    """Copy the images of a class; whether there was something to do."""
    copied = False
    for image in sorted(images_in(source)):
        copy = target / image.relative_to(source)
        if copy.is_file() and copy.stat().st_size == image.stat().st_size:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Under its name only once it is whole.
        unfinished = copy.with_name(f'{copy.name}.part')
        shutil.copyfile(image, unfinished)
        os.replace(unfinished, copy)
        copied = True
    return copied


def _some(names: list[str]) -> str:
    """The first few of a list of names, and how many more there are."""
    more = f' and {len(names) - 5} more' if len(names) > 5 else ''
    return ', '.join(names[:5]) + more


def main(argv: list[str]) -> None:
    """Write the subset.

    Raises:
        UserError: If something is missing or unfit.
    """
    args = parse_args(argv)
    classes = read_classes(args.classes)
    check_source(args.src, args.splits, classes)
    check_target(args, classes)
    place = copy_class if args.copy else link_class
    bar = ProgressBar(len(args.splits) * len(classes), file=sys.stderr)
    new = 0
    try:
        for split in args.splits:
            for name in classes:
                new += place(args.src / split / name, args.out / split / name)
                bar.update()
    except OSError as error:
        advice = '' if args.copy else (
            '; where links are not possible, use --copy')
        raise UserError(f'{error}{advice}. The same command goes on from '
                           'here') from error
    print(f'\n{len(classes)} classes in {", ".join(args.splits)} of '
          f'{args.out} ({new} class folders new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
