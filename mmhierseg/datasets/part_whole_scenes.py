"""Part-whole scenes as a dataset that generates its images on the fly."""

from collections.abc import Sequence

import numpy as np
from mmengine.dataset import BaseDataset

from mmhierseg.registry import DATASETS

from .scenes import SceneOptions, class_names, make_scene, scene_index
from .scenes.categories import voc_palette


@DATASETS.register_module()
class PartWholeScenes(BaseDataset):
    """Generated scenes with image label, semantic, object and part map.

    Nothing is read or written: a scene is generated, in milliseconds, when it
    is asked for, and is the same each time. Pipelines begin without a loading
    transform; those of MMPretrain and of MMSegmentation both work. They get:

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
        seed (int): Seed of the dataset. Defaults to 0.
        size, categories, max_others, num_poles, typical_colors: See
            :class:`~mmhierseg.datasets.scenes.SceneOptions`. Semantic ids do
            not depend on ``categories``.
        **kwargs: Arguments of MMEngine's ``BaseDataset``.

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
                 metainfo: dict | None = None,
                 **kwargs) -> None:
        if num_scenes < 1:
            raise ValueError('`num_scenes` must be at least 1, got '
                             f'{num_scenes}')
        if task not in ('classification', 'segmentation'):
            raise ValueError("`task` must be 'classification' or "
                             f"'segmentation', got {task!r}")
        if categories is None:
            categories = SceneOptions.categories
        self.options = SceneOptions(
            size=tuple(size),
            categories=tuple(categories),
            max_others=max_others,
            num_poles=num_poles,
            typical_colors=typical_colors)
        self.num_scenes = num_scenes
        self.first_index = scene_index(split, 0)
        self.seed = seed
        names = class_names(num_poles)
        own = dict(classes=self.options.categories) if (
            task == 'classification') else dict(
                classes=names, palette=voc_palette()[:len(names)].tolist())
        super().__init__(metainfo={**own, **(metainfo or {})}, **kwargs)

    def load_data_list(self) -> list[dict]:
        """List the scenes' indices and labels, without generating them."""
        first, count = self.first_index, len(self.options.categories)
        return [
            dict(scene_index=i, gt_label=i % count)
            for i in range(first, first + self.num_scenes)
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Category of a scene, for samplers that balance classes."""
        return [int(self.get_data_info(idx)['gt_label'])]

    def prepare_data(self, idx: int) -> dict | None:
        """Generate a scene and apply the pipeline."""
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
