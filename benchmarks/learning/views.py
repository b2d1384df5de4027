"""Pairs of augmented views, drawn once and shared by all models.

So models differ in nothing but themselves, and minutes of training are not
spent on drawing images.
"""

import json
from pathlib import Path
from typing import Callable, List, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from rich.progress import track

from mmhierseg.datasets.transforms.attach import attach_segment_map
from mmhierseg.registry import DATASETS
from mmhierseg.superpixels import TorchSLIC

__all__ = ['PairedViews', 'is_drawn', 'make_views', 'write_views']

_VIEWS, _MAPS, _RECORD = 'views.npy', 'maps.npy', 'views.json'


def view_pipeline(size: int) -> List[dict]:
    """MoCo v3's augmentation, but for what small views do not survive.

    Args:
        size (int): Side of a view in pixels.

    Returns:
        List[dict]: Transforms of MMPretrain.
    """
    jitter = dict(
        type='ColorJitter',
        brightness=0.4,
        contrast=0.4,
        saturation=0.2,
        hue=0.)
    return [
        dict(
            type='RandomResizedCrop',
            scale=size,
            crop_ratio_range=(0.3, 1.),
            backend='cv2'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='RandomApply', transforms=[jitter], prob=0.8),
    ]


def make_views(folder: Path, num_pairs: int, images: dict) -> None:
    """Draw pairs of views with superpixels, unless they are there already.

    Args:
        folder (Path): Where to; a pair takes 8 bytes a pixel.
        num_pairs (int): Number of images, of each of which two views.
        images (dict): Config of a data set with ``num_scenes`` and ``size``.
    """
    record = dict(num_pairs=num_pairs, images=images, version=3)
    if is_drawn(folder, record):
        return
    init_default_scope('mmpretrain')
    np.random.seed(0)
    pipeline = [
        dict(
            type='MultiView',
            num_views=[2],
            transforms=[view_pipeline(images['size'][0])])
    ]
    dataset = DATASETS.build(
        dict(images, num_scenes=num_pairs, pipeline=pipeline))
    superpixels = TorchSLIC(segment_size=16)

    def draw(index: int) -> Tuple[np.ndarray, np.ndarray]:
        views = np.stack(dataset[index]['img'])
        rgb = torch.from_numpy(views[..., ::-1].copy())
        return views, superpixels(rgb.permute(0, 3, 1, 2).float()).numpy()

    write_views(folder, record, images['size'], draw)


def is_drawn(folder: Path, record: dict) -> bool:
    """Whether a folder has the views of a record as a whole.

    Args:
        folder (Path): The folder.
        record (dict): Of :func:`write_views`.

    Returns:
        bool: Whether it has.
    """
    path = folder / _RECORD
    return path.exists() and json.loads(path.read_text()) == json.loads(
        json.dumps(record))


def write_views(folder: Path, record: dict, size: Sequence[int],
                draw: Callable[[int], Tuple[np.ndarray, np.ndarray]],
                map_dtype: type = np.uint8) -> None:
    """Write pairs of views for :class:`PairedViews`.

    Args:
        folder (Path): Where to.
        record (dict): What views depend on, ``num_pairs`` among it; JSON can
            hold it.
        size (Sequence[int]): (H, W) of a view.
        draw (Callable): Makes a pair, given its number: views (2, H, W, 3)
            uint8, and their segment maps, (2, H, W) integer.
        map_dtype (type): Of the maps in the file. Defaults to uint8.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RECORD).unlink(missing_ok=True)
    shape = (record['num_pairs'], 2, *size)
    views = np.lib.format.open_memmap(
        folder / _VIEWS, 'w+', np.uint8, (*shape, 3))
    maps = np.lib.format.open_memmap(folder / _MAPS, 'w+', map_dtype, shape)
    for i in track(range(len(views)), 'Drawing views'):
        views[i], maps[i] = draw(i)
    views.flush(), maps.flush()
    # Last, so that what was interrupted is drawn anew.
    (folder / _RECORD).write_text(json.dumps(record))


@DATASETS.register_module()
class PairedViews(BaseDataset):
    """Pairs of views from :func:`write_views`.

    Args:
        data_root (str): Folder of :func:`write_views`.
        with_maps (bool): Whether views come with their superpixels, as
            fourth channel. Defaults to True.
        pipeline (Sequence): Transforms. Defaults to ().
    """

    def __init__(self,
                 data_root: str,
                 with_maps: bool = True,
                 pipeline: Sequence[Union[dict, Callable]] = ()) -> None:
        self.with_maps = with_maps
        folder = Path(data_root)
        self.views = np.load(folder / _VIEWS, mmap_mode='r')
        self.maps = np.load(folder / _MAPS, mmap_mode='r')
        super().__init__(
            data_root=data_root, pipeline=list(pipeline), serialize_data=False)

    def load_data_list(self) -> List[dict]:
        """List the pairs, without reading them."""
        return [dict(pair=i) for i in range(len(self.views))]

    def prepare_data(self, idx: int) -> dict:
        """Read a pair and take it through the pipeline.

        Args:
            idx (int): Index of the pair.

        Returns:
            dict: What the pipeline returns.
        """
        views = list(np.array(self.views[idx]))
        if self.with_maps:
            views = [
                attach_segment_map(view, labels)
                for view, labels in zip(views, self.maps[idx])
            ]
        return self.pipeline(dict(img=views))
