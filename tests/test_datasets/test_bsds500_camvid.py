"""BSDS500 and CamVid, on generated data in their layouts."""

import numpy as np
import pytest
from helpers.configs import load_base
from helpers.panoptic import save_png
from PIL import Image
from scipy.io import savemat

from mmhierseg._base.errors import UserError
from mmhierseg.registry import DATASETS, TRANSFORMS

SIZE = (24, 36)


def save_mat(path, maps):
    """A cell array of structs, as MATLAB writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.empty((1, len(maps)), dtype=object)
    for k, labels in enumerate(maps):
        cells[0, k] = dict(Segmentation=labels, Boundaries=0)
    savemat(path, dict(groundTruth=cells), do_compression=True)


def make_bsds500(root):
    rng = np.random.default_rng(0)
    maps = {}
    for split, numbers in (('val', (5, )), ('test', (4, 1))):
        for i, number in enumerate(numbers):
            size = SIZE if i == 0 else SIZE[::-1]
            name = f'{split}/{100 + i}'
            maps[name] = rng.integers(1, 300, (number, *size), np.uint16)
            save_png(rng.integers(0, 256, (*size, 3), np.uint8),
                     root / f'images/{name}.jpg')
            save_mat(root / f'groundTruth/{name}.mat', maps[name])
    (root / 'images/test/Thumbs.db').write_bytes(b'x')
    return maps


def test_bsds500(tmp_path):
    maps = make_bsds500(tmp_path)
    cfg = load_base('bsds500')
    for split in ('val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.data_root = str(tmp_path)
        data = DATASETS.build(dataset)
        wanted = [value for name, value in maps.items() if split in name]
        assert len(data) == len(wanted)
        for sample, expected in zip(data, wanted):
            found = sample['data_samples'].gt_segmentations
            assert found.shape == sample['inputs'].shape[1:]
            np.testing.assert_array_equal(found.data.numpy(), expected)
    # Resized and flipped with the image, also those of a single annotator.
    steps = list(dataset.pipeline)
    steps[2:2] = [dict(type='Resize', scale_factor=2., keep_ratio=True),
                  dict(type='RandomFlip', prob=1.)]
    for sample, expected in zip(
            DATASETS.build(dict(dataset, pipeline=steps)), wanted):
        np.testing.assert_array_equal(
            sample['data_samples'].gt_segmentations.data.numpy(),
            expected.repeat(2, 1).repeat(2, 2)[..., ::-1])


def test_bad_files_of_bsds500(tmp_path):
    path = tmp_path / 'x.mat'
    load = TRANSFORMS.build(dict(type='mmhierseg.LoadHumanSegmentations'))
    good = np.ones((2, *SIZE), np.uint16)
    results = dict(seg_map_path=str(path), ori_shape=SIZE, img_path='x.jpg')

    def fails(message):
        with pytest.raises(UserError, match=message):
            load(dict(results))

    save_mat(path, good)
    assert load(dict(results))['gt_segmentations'].shape == (*SIZE, 2)
    results['ori_shape'] = SIZE[::-1]
    fails("x.mat' is 24 x 36 but its image 'x.jpg' 36 x 24")
    results['ori_shape'] = SIZE
    content = path.read_bytes()
    for wrong in (content[:-30], content[:60], b'text', b'\x89HDF' * 99):
        path.write_bytes(wrong)
        fails("ground truth '.*x.mat' cannot be read .*replace the file")
    cells = np.empty((1, 1), dtype=object)
    cells[0, 0] = dict(Boundaries=good[0])
    for fields in (dict(other=good), dict(groundTruth=good),
                   dict(groundTruth='words'), dict(groundTruth=cells)):
        savemat(path, fields)
        fails("x.mat' cannot be read .*expected a cell array `groundTruth`")
    for maps in ([good[0], good[0].T], [good[0] / 2], [cells], ['word'], []):
        save_mat(path, maps)
        fails("x.mat' cannot be read .*expected a cell array `groundTruth`")


def test_missing_files(tmp_path):
    make_bsds500(tmp_path)
    data = dict(type='mmhierseg.BSDS500Dataset', data_root=str(tmp_path))
    (tmp_path / 'list.txt').write_text('101\n')
    assert len(DATASETS.build(dict(data, ann_file='list.txt'))) == 1
    (tmp_path / 'groundTruth/test/101.mat').unlink()
    for options, message in ((dict(), '1 of 2 images has no label map: 101'),
                             (dict(ann_file='list.txt'), 'no label map: 101'),
                             (dict(split='x'), 'there is no folder .*x')):
        with pytest.raises(UserError, match=message):
            DATASETS.build(dict(data, **options))


def test_camvid(tmp_path):
    """Frames of SegNet's layout, with class 11."""
    rng = np.random.default_rng(0)
    maps = {}
    for split in ('train', 'val', 'test'):
        labels = maps[split] = rng.integers(0, 12, SIZE, np.uint8)
        save_png(labels, tmp_path / f'{split}annot/0001TP_006690.png')
        save_png(rng.integers(0, 256, (*SIZE, 3), np.uint8),
                 tmp_path / f'{split}/0001TP_006690.png')
    cfg = load_base('camvid')
    for field, split in (('val', 'val'), ('test', 'test')):
        dataset = cfg[f'{field}_dataloader'].dataset
        dataset.data_root = str(tmp_path)
        data = DATASETS.build(dataset)
        assert len(data.metainfo['classes']) == len(
            data.metainfo['palette']) == 11
        labels = maps[split]
        found = data[0]['data_samples'].gt_sem_seg.data[0].numpy()
        np.testing.assert_array_equal(
            found, np.where(labels == 11, 255, labels))
    dataset = cfg.train_dataloader.dataset
    dataset.data_root = str(tmp_path)
    sample = DATASETS.build(dataset)[0]
    assert set(sample['data_samples'].gt_sem_seg.data.unique().tolist()) <= {
        *range(11), 255}
    # Two of the classes.
    few = cfg.test_dataloader.dataset
    few.metainfo = dict(classes=('Car', 'Sky'))
    few = DATASETS.build(few)
    assert few.metainfo['palette'] == [[64, 0, 128], [128, 128, 128]]
    table = np.full(12, 255)
    table[[8, 0]] = 0, 1
    np.testing.assert_array_equal(
        few[0]['data_samples'].gt_sem_seg.data[0], table[maps['test']])
    with pytest.raises(UserError, match="got 'x' and 'segnet'"):
        DATASETS.build(dict(type='mmhierseg.CamVidDataset', split='x'))


def test_camvid_original(tmp_path):
    """Colours of 32 classes; splits by the names of frames."""
    colors = {(128, 128, 128): 0, (64, 192, 0): 1, (0, 0, 64): 2,
              (192, 0, 64): 3, (128, 128, 192): 4, (192, 192, 0): 5,
              (0, 64, 64): 6, (64, 64, 128): 7, (128, 64, 64): 8,
              (64, 128, 64): 9, (192, 0, 192): 10, (0, 0, 0): 255}
    names = dict(
        train=('0001TP_008520', '0006R0_f00930', '0016E5_07920',
               '0016E5_08190'),
        val=('0016E5_07959', '0016E5_08159'),
        test=('0001TP_008550', 'Seq05VD_f00000'))
    picture = np.array(list(colors), np.uint8)[:, None].repeat(9, 1)
    for name in sum(names.values(), ()):
        save_png(picture, tmp_path / f'701_StillsRaw_full/{name}.png')
        save_png(picture, tmp_path / f'LabeledApproved_full/{name}_L.png')
    load = dict(type='mmhierseg.LoadCamVidMap')
    for split, frames in names.items():
        data = DATASETS.build(
            dict(type='mmhierseg.CamVidDataset', split=split,
                 layout='original', data_root=str(tmp_path), pipeline=[load]))
        assert [sample['img_path'][-len(name) - 4:-4] for sample, name in zip(
            data, frames, strict=True)] == list(frames)
        for sample in data:
            assert (sample['gt_seg_map'].T == list(colors.values())).all()
    path = tmp_path / 'wrong.png'
    for pixels, message in ((picture[..., 0], 'mode RGB, got L'),
                            (picture + np.uint8(1), '100% of the pixels')):
        Image.fromarray(pixels).save(path)
        with pytest.raises(UserError, match=f'wrong.png.*{message}'):
            TRANSFORMS.build(load)(dict(seg_map_path=str(path)))
