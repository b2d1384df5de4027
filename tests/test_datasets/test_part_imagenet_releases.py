import json
import shutil

import numpy as np
import pytest
from helpers.part_imagenet import NAMES, edit, make_part_imagenet
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.datasets.part_imagenet_classes import OBJECT_OF_PART
from mmhierseg.registry import DATASETS


def build(root, load='LoadPartMap', **options):
    pipeline = [dict(type=name) for name in (
        'mmhierseg.LoadImage', f'mmhierseg.{load}', 'mmseg.PackSegInputs')]
    return DATASETS.build(
        dict(dict(
            type='mmhierseg.PartImageNetDataset',
            data_root=str(root),
            ann_file='annotations/val.json',
            data_prefix=dict(img_path='images/val'),
            pipeline=pipeline), **options))


def truth(sample):
    return sample['data_samples'].gt_sem_seg.data[0].numpy()


def make_seg(root, maps):
    """The release *Seg* of the images and part maps of *OOD*, in ``val``."""
    for name, parts in maps.items():
        split, folder, stem = name.split('/')
        image = root.parent / f'{root.name}_ood/images/{name}.JPEG'
        objects = OBJECT_OF_PART[parts]
        for path, labels in ((f'annotations/{split}', np.where(
                parts, parts - 1, 40)), (f'annotations/{split}_whole',
                                         np.where(objects, 140, 158))):
            target = root / path / f'{stem}.png'
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(labels.astype(np.uint8)).save(target)
            sizes = dict(height=len(labels), width=labels.shape[1])
            (target.parent / f'{split}.json').write_text(
                json.dumps({f'{stem}.JPEG': sizes}))
        copy = root / f'images/{split}/{stem}.JPEG'
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, copy)


def test_both_releases_are_told_apart(tmp_path):
    ood, seg = tmp_path / 'seg_ood', tmp_path / 'seg'
    maps = make_part_imagenet(ood)
    make_seg(seg, maps)

    def build_seg(labels='part', folder='annotations/val', root=seg,
                  release='seg', **options):
        prefix = dict(img_path='images/val', seg_map_path=folder)
        return build(root, 'LoadLabelMap', labels=labels, release=release,
                     **dict(dict(ann_file='', data_prefix=prefix), **options))

    for labels, folder, number in (('part', 'val', 41), ('object', 'val', 12),
                                   ('whole', 'val_whole', 159)):
        data = build_seg(labels, f'annotations/{folder}')
        assert len(data) == 3 and len(data.metainfo['classes']) == number
        for sample in data:
            name = sample['data_samples'].img_path.split('/')[-1][:-5]
            expected = maps[f'val/{name[:9]}/{name}']
            if labels != 'part':
                expected = OBJECT_OF_PART[expected]
            if labels == 'whole':
                expected = np.where(expected, 141, 0)
            np.testing.assert_array_equal(truth(sample), expected)
    # With the background last, as it is stored.
    names = data.metainfo['classes']
    data = build_seg('whole', 'annotations/val_whole',
                     metainfo=dict(classes=[*names[1:], names[0]]))
    assert set(np.unique(truth(data[0]))) == {140, 158}

    lists = dict(ann_file='annotations/val.json',
                 data_prefix=dict(img_path='images/val'))
    is_seg, is_ood = "is of .*release Seg.*release='seg'", 'is not of .* Seg'
    for message, change in (
        (is_seg, dict(release='ood')),
        (is_seg, dict(release='ood', **lists)),
        (is_seg, dict(lists, release='ood', ann_file='annotations/val/val.json'
                      )),
        (is_seg, dict(release='ood', folder='annotations/val_whole')),
        (is_ood, dict(root=ood)),
        (is_ood, dict(root=ood, **lists)),
        (r"labels='part' are read from '.*val' .*val_whole'",
         dict(folder='annotations/val_whole')),
        ("labels='whole' are read from '.*val_whole'", dict(labels='whole')),
        ("`release` must be 'ood' or 'seg', got 'SEG'", dict(release='SEG')),
        ("'part' or 'object', got 'whole'",
         dict(labels='whole', release='ood')),
    ):
        with pytest.raises(UserError, match=message):
            build_seg(**change)
    # Alone, such a list says nothing of its release.
    shutil.copy(seg / 'annotations/val/val.json', ood / 'annotations')
    with pytest.raises(UserError, match="COCO-style.*release='seg' reads"):
        build(ood, **lists)


def test_images_without_parts_are_kept(tmp_path):
    """In the order of their ids; ids of categories are by their names."""
    maps = make_part_imagenet(tmp_path)

    def shuffle(data):
        rng = np.random.default_rng(0)
        for name in ('images', 'categories'):
            rng.shuffle(data[name])

    edit(tmp_path / 'annotations/val.json', shuffle)
    data = build(tmp_path, keep_unannotated=True)
    paths = [data.get_data_info(i)['img_path'] for i in range(len(data))]
    assert [path.split('/')[-1][:-5] for path in paths] == [
        *NAMES, 'n02099601_4']
    for name, sample in zip(NAMES, data):
        np.testing.assert_array_equal(
            truth(sample), maps[f'val/{name[:9]}/{name}'])
    assert not truth(data[3]).any()
    edit(tmp_path / 'annotations/val.json',
         lambda data: data['images'][0].update(id='ten'))
    with pytest.raises(UserError, match='TypeError'):
        build(tmp_path, keep_unannotated=True)
