"""Part-whole scenes as a data set: made when they are asked for."""

from collections.abc import Callable, Sequence

import numpy as np
from mmengine.dataset import BaseDataset

from mmhierseg.registry import DATASETS

from .scenes import SceneOptions, class_names, make_scene
from .scenes.palette import voc_palette
from .scenes.scene import scene_index

__all__ = ['PartWholeScenes']


@DATASETS.register_module()
class PartWholeScenes(BaseDataset):
    """Generated scenes with image label, semantic, object and part map.

    Nothing is read or written: a scene is made, in milliseconds, when it is
    asked for, and the same each time. Pipelines begin without a loading
    transform; those of MMPretrain and of MMSegmentation both work. What they
    are given:

    * ``img``: (H, W, 3) uint8, BGR as ``LoadImageFromFile`` gives it;
    * ``gt_label``: category of the largest object, 0 based;
    * ``gt_seg_map``, ``gt_object_map``, ``gt_part_map``: (H, W) uint8, see
      :class:`~mmhierseg.datasets.scenes.Scene`; all three are listed in
      ``seg_fields``, so that MMSegmentation's geometric transforms move them
      together;
    * ``img_path``: a name, there is no such file.

    Args:
        num_scenes (int): Number of scenes.
        split (str): 'train' or 'val', which have no scene in common. Defaults
            to 'train'.
        task (str): 'classification' or 'segmentation'. Decides ``classes`` of
            the meta information only: the categories, or background and
            categories. Defaults to 'classification'.
        size (Sequence[int]): (H, W) of a scene. Defaults to (224, 224).
        seed (int): Seed of the data set. Defaults to 0.
        categories (Sequence[str], optional): Names of the categories to draw
            from; semantic ids stay the same. Defaults to None, all twelve.
        max_others (int): Most objects beside the main one. Defaults to 3.
        num_poles (int): Number of poles in each scene. Defaults to 0.
        typical_colors (float): How likely a part has the colours typical of
            its kind, 0 to 1. Defaults to 0.
        pipeline (Sequence): Transforms. Defaults to ().
        metainfo (dict, optional): Meta information that overrides the data
            set's own. Defaults to None.
        test_mode (bool): Whether a pipeline that returns None is an error.
            Defaults to False.
        lazy_init (bool): Whether to leave the list of scenes for later.
            Defaults to False.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> scenes = PartWholeScenes(num_scenes=24, size=(32, 48))
        >>> len(scenes), scenes[5]['img'].shape, scenes[5]['gt_label']
        (24, (32, 48, 3), 5)
    """

    def __init__(self,
                 num_scenes: int,
                 split: str = 'train',
                 task: str = 'classification',
                 size: Sequence[int] = (224, 224),
                 seed: int = 0,
                 categories: Sequence[str] | None = None,
                 max_others: int = 3,
                 num_poles: int = 0,
                 typical_colors: float = 0.,
                 pipeline: Sequence[dict | Callable] = (),
                 metainfo: dict | None = None,
                 test_mode: bool = False,
                 lazy_init: bool = False) -> None:
        if num_scenes < 1:
            raise ValueError('`num_scenes` must be at least 1, got '
                             f'{num_scenes}')
        if task not in ('classification', 'segmentation'):
            raise ValueError("`task` must be 'classification' or "
                             f"'segmentation', got {task!r}")
        chosen = {} if categories is None else dict(
            categories=tuple(categories))
        self.options = SceneOptions(
            size=tuple(size),
            max_others=max_others,
            num_poles=num_poles,
            typical_colors=typical_colors,
            **chosen)
        self.num_scenes = num_scenes
        self.first_index = scene_index(split, 0)
        self.seed = seed
        super().__init__(
            metainfo={
                **self._own_metainfo(task),
                **(metainfo or {})
            },
            # BaseDataset hands the list to Compose as it is.
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init)

    def load_data_list(self) -> list[dict]:
        """List the scenes: their index and label, without making them."""
        first, count = self.first_index, len(self.options.categories)
        return [
            dict(scene_index=i, gt_label=i % count)
            for i in range(first, first + self.num_scenes)
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Category of a scene, for samplers that balance classes."""
        return [int(self.get_data_info(idx)['gt_label'])]

    def prepare_data(self, idx: int) -> dict | None:
        """Make a scene and take it through the pipeline.

        Args:
            idx (int): Index into the data set.

        Returns:
            dict: What the pipeline returns.
        """
        info = self.get_data_info(idx)
        index = info['scene_index']
        scene = make_scene(self.seed, index, self.options)
        info.update(
            img=np.ascontiguousarray(scene.image[..., ::-1]),
            img_path=f'part_whole_scene_{self.seed}_{index}.png',
            img_shape=scene.image.shape[:2],
            ori_shape=scene.image.shape[:2],
            gt_label=scene.label,
            gt_seg_map=scene.semantic,
            gt_object_map=scene.objects,
            gt_part_map=scene.parts,
            seg_fields=['gt_seg_map', 'gt_object_map', 'gt_part_map'],
            label_map=None,
            reduce_zero_label=False)
        return self.pipeline(info)

    def _own_metainfo(self, task: str) -> dict:
        if task == 'classification':
            return dict(classes=self.options.categories)
        names = class_names(self.options.num_poles)
        return dict(
            classes=names, palette=voc_palette()[:len(names)].tolist())
