r"""Make a subset of ImageNet, such as ImageNet-100, from a list of classes.

::

    python tools/dataset_converters/imagenet_subset.py \
        data/imagenet data/imagenet100 --classes imagenet100.txt

SRC holds a folder for each class in train/ and val/ (a val/ with all images in
one folder has to be sorted first). The list names one folder a line; the rest
of a line, empty lines and lines that start with # are ignored. The 100 classes
of the papers are those of "Contrastive Multiview Coding" (Tian et al., ECCV
2020), whose authors publish such a list with their code.

OUT gets the same layout; its class folders are links to those of SRC or, with
``--copy``, copies of them. Nothing is written before everything has been
checked. The same command resumes an interrupted run.
"""

import argparse
import sys
from pathlib import Path

from conversion import convert_all, write_file

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg._base.image_files import IMAGE_SUFFIXES, list_files
from mmhierseg.datasets.files import read_list, some


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
    """Read the list of classes."""
    names = [
        line.split()[0] for line in read_list(str(path), 'list of classes')
        if not line.startswith('#')
    ]
    if not names:
        raise UserError(f'{path} names no class: it must have the name of '
                        'a class folder, such as n01558993, on each line')
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f'{path} names {some(twice)} more than once')
    paths = [name for name in names
             if name in ('.', '..') or '/' in name or '\\' in name]
    if paths:
        raise UserError(f'{path}: {some(paths)} must be the name of a '
                        'folder, not a path')
    return names


def check_source(src: Path, splits: list[str], classes: list[str]) -> None:
    """Check that every class is there and has an image."""
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
            raise UserError(f'{folder} has no class {some(unknown)}; its '
                            f'folders are named like {known[0]}')
        empty = [name for name in classes
                 if not list_files(folder / name, IMAGE_SUFFIXES)]
        if empty:
            raise UserError(
                f'{folder} has no image in {some(empty)}: the dataset is '
                'incomplete, unpack these classes again')


def check_target(args: argparse.Namespace, classes: list[str]) -> None:
    """Check that OUT may be written to."""
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
                f'{folder} holds {some(others)}, which the list does not '
                'name; name another OUT, or remove what is there')
        wrong = [name for name in names
                 if (folder / name).is_symlink() == args.copy]
        if wrong:
            made = 'links' if args.copy else 'copies'
            raise UserError(
                f'{folder} was made of {made} ({some(wrong)}); continue '
                f'{"without" if args.copy else "with"} --copy, or name '
                'another OUT')


def link_class(source: Path, target: Path) -> bool:
    """Link to the folder of a class; return whether something was done."""
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
    """Copy the images of a class; return whether something was done."""
    copied = False
    for name in list_files(source, IMAGE_SUFFIXES):
        image, copy = source / name, target / name
        if copy.is_file() and copy.stat().st_size == image.stat().st_size:
            continue
        write_file(copy, image.read_bytes())
        copied = True
    return copied


def main(argv: list[str]) -> None:
    """Write the subset."""
    args = parse_args(argv)
    classes = read_classes(args.classes)
    check_source(args.src, args.splits, classes)
    check_target(args, classes)
    place = copy_class if args.copy else link_class
    jobs = [f'{split}/{name}' for split in args.splits for name in classes]
    again = 'the same command' if args.copy else (
        'where links are not possible, use --copy; otherwise the same command')
    new = convert_all(lambda job: place(args.src / job, args.out / job), jobs,
                      1, 'Classes', again=again)
    print(f'{len(classes)} classes in {", ".join(args.splits)} of {args.out} '
          f'({new} class folders new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
