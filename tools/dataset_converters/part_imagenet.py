r"""Convert PartImageNet's annotations to label PNGs.

::

    python tools/dataset_converters/part_imagenet.py data/part_imagenet

reads ``annotations/{train,val,test}.json`` of the folder and writes, for each
image, ``labels/part/{split}/{class}/{name}.png`` (0 = background, 1..40) and
``labels/object/{split}/{class}/{name}.png`` (1..11). The ids and their names
are also written, to ``labels/part_imagenet.json``.

Training needs no conversion, ``PartImageNetDataset`` reads the JSON; label
PNGs are for programs that read semantic maps only. The same command resumes
an interrupted run: complete files are left alone.
"""

import sys
from collections import Counter
from functools import partial
from pathlib import Path, PurePosixPath

from conversion import convert_all, parse_root, write_file, write_manifest
from scene_files import encode_label_map

import mmhierseg  # noqa: F401  (repairs the installed stack)
from mmhierseg._base.errors import UserError, run_command
from mmhierseg.datasets.files import (
    list_files,
    match_image,
    read_file,
    read_header,
    some,
)
from mmhierseg.datasets.part_imagenet_classes import (
    LABELS,
    OBJECT_OF_PART,
    class_names,
)
from mmhierseg.datasets.part_imagenet_file import (
    AnnotatedImage,
    image_paths,
    parse_annotations,
)
from mmhierseg.datasets.scenes.categories import voc_palette
from mmhierseg.datasets.transforms.load_ground_truth import draw_part_map

# Image, path of its label map below the folder of a kind, and the annotations.
Job = tuple[Path, PurePosixPath, AnnotatedImage]


def read_split(root: Path, split: str) -> list[Job]:
    """Check a split before anything is written."""
    path = root / 'annotations' / f'{split}.json'
    folder = root / 'images' / split
    hint = ('ROOT must hold annotations and images of each split; name the '
            'existing ones by --splits')
    if not path.is_file():
        raise UserError(f'there is no {str(path)!r}: {hint}')
    content = read_file(str(path), 'annotation file')
    images = [
        image for image in parse_annotations(content, str(path))
        if image.parts
    ]
    names = image_paths([image.file_name for image in images],
                        list_files(str(folder), hint), str(folder), str(path))
    targets = [PurePosixPath(split, n).with_suffix('.png') for n in names]
    twice = [str(t) for t, n in Counter(targets).items() if n > 1]
    if twice:
        raise UserError(f'images of {str(path)!r} differ in their extension '
                        f'only and would have the same map: {some(twice)}')
    return [(folder / name, target, image)
            for name, target, image in zip(names, targets, images)]


def convert_image(job: Job, out: Path, annotated: str | None) -> bool:
    """Write the label maps of an upright image, unless they exist."""
    path, target_name, image = job
    targets = {kind: out / kind / target_name for kind in LABELS}
    if all(target.is_file() for target in targets.values()):
        return False
    name = f"part map of '{path}'"
    parts = match_image(
        draw_part_map(image.parts, image.size, name),
        read_header(str(path)), name, annotated)
    maps = dict(part=parts, object=OBJECT_OF_PART[parts])
    for kind, target in targets.items():
        write_file(target, encode_label_map(maps[kind], voc_palette()))
    return True


def main(argv: list[str]) -> None:
    """Write the label PNGs."""
    args = parse_root(
        argv,
        "Convert PartImageNet's annotations to label PNGs",
        'PartImageNet, with images and annotations', ['train', 'val', 'test'],
        closed=False)
    jobs = [
        job for split in args.splits for job in read_split(args.root, split)
    ]
    convert = partial(
        convert_image, out=args.out, annotated=args.annotated)
    new = convert_all(convert, jobs, args.workers, 'Images')
    write_manifest(args.out / 'part_imagenet.json',
                   {kind: class_names(kind) for kind in LABELS})
    print(f'{args.out}: label maps of {len(jobs)} images ({new} new)')


if __name__ == '__main__':
    sys.exit(run_command(lambda: main(sys.argv[1:])))
