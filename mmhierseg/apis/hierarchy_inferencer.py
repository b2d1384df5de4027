"""Hierarchies of a user's images, in the style of MMEngine's inferencers."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from PIL import Image
from rich.progress import track
from torch import nn

from mmhierseg.structures import SegmentHierarchy
from mmhierseg.superpixels.base import check_number
from mmhierseg.visualization import count_segments, hierarchy_figure

from .images import (
    ImageInput,
    ImageSize,
    image_names,
    list_images,
    read_image,
    resize_labels,
    scale_image,
)
from .loading import find_device, load_model, read_config, read_settings
from .models import default_weights
from .outputs import OutputFolder


class _Prepared(NamedTuple):
    name: str
    source: ImageInput
    image: np.ndarray  # (H, W, 3) uint8, RGB
    scaled: np.ndarray  # (h, w, 3), at the model's size


class HierarchyInferencer(BaseInferencer):
    """Segments images at all levels of a CAST or HSG, from fine to coarse.

    Of a config with a CAST only the backbone is built, so models of
    MMPretrain and MMSegmentation work alike. HSG is built whole; its levels
    are the segments by k-means and, if learned, fine and coarse groups of
    them. So is KMeansHierarchy, with any backbone. The config's data
    preprocessor makes the superpixels.

    Args:
        model (str | Path | Config | dict): Path of a config,
            'mmhierseg::cast/...', a model's name in the metafiles, or a
            config. Defaults to 'cast-t_imagenette', a small CAST whose
            weights ship with the package.
        weights (str, optional): Checkpoint of MMEngine, or
            'mmhierseg://NAME'; the authors' have to be converted first. None:
            those of the model's name, else random, with a warning.
        device (str, optional): None: a GPU if there is one.
        img_size (int | tuple[int, int] | str, optional): Size that images are
            scaled to. An int: the shorter side, less beyond an aspect ratio
            of 4:1. (H, W): exactly this. 'original': not scaled, up to 1024
            pixels on the longer side. None: what the config's
            ``hierarchy_inferencer`` says, else the backbone's for the shorter
            side (384 for HSG). Label maps have the image's own size.
        segment_size (float, optional): Side of the average superpixel in
            pixels of the scaled image, not for HSG. None: what the config's
            ``hierarchy_inferencer`` says, else as in training.
        show_progress (bool): Whether to show the progress of many batches.
        exact (bool): Whether the model sees one image at a time, so that
            results do not depend on the batch. Whole batches are faster on a
            GPU, but rounding changes about one hierarchy in 250. Defaults to
            True.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        TypeError: If ``model`` or ``segment_size`` is of another type.
        ValueError: If the config cannot be read or is of another model, the
            checkpoint does not fit, there is no such device, or an option is
            out of range.
    """

    def __init__(self,
                 model: str | Path | Config | dict = 'cast-t_imagenette',
                 weights: str | None = None,
                 device: str | None = None,
                 img_size: ImageSize | None = None,
                 segment_size: float | None = None,
                 show_progress: bool = True,
                 exact: bool = True) -> None:
        self.exact = exact
        cfg = read_config(model)
        self.settings = read_settings(cfg, img_size, segment_size)
        # Not a backbone.
        self._is_whole = self.settings.model.type == 'mmhierseg.HSG'
        super().__init__(
            model=cfg,
            weights=weights or default_weights(model),
            device=find_device(device),
            scope='mmhierseg',
            show_progress=show_progress)

    def __call__(self,
                 inputs: ImageInput | list[ImageInput],
                 return_datasamples: bool = False,
                 batch_size: int = 1,
                 return_vis: bool = True,
                 show: bool = False,
                 panel_size: int = 320,
                 out_dir: str | None = None,
                 save_labels: str | None = None,
                 return_labels: bool = True) -> dict:
        """Segment images.

        Args:
            inputs (str | Path | np.ndarray | list): An image, a folder with
                subfolders, or a list of these. Arrays are (H, W, 3) uint8 in
                BGR order, or (H, W).
            return_datasamples (bool): Whether predictions are
                :class:`~mmhierseg.structures.SegmentHierarchy` (of one image
                each) instead of dicts.
            batch_size (int): Successive images of one size after scaling that
                are processed together. Results do not depend on it if
                ``exact``.
            return_vis (bool): Whether to return the figures.
            show (bool): Whether to open the figures.
            panel_size (int): Longer side of the figures' panels in pixels.
            out_dir (str, optional): Folder to write each image's figure to,
                ``<name>_hierarchy.png``. The name is the path below the folder
                of the images, without suffix.
            save_labels (str, optional): 'png' (16 bit, label + 1, 0 = none)
                or 'npz' to write label maps there too.
            return_labels (bool): Whether to return the label maps. Without
                them and figures, only one batch is held in memory.

        Returns:
            dict: ``predictions``, per image a dict with ``name``,
            ``img_path`` (None for an array), ``label_maps`` (per level, fine
            to coarse, (H, W) int32, -1 = none; None without
            ``return_labels``), ``num_segments`` (per level) and ``files``
            (what was written); and ``visualization``, the figures as
            (H', W', 3) uint8, RGB (empty without ``return_vis``).

        Raises:
            FileNotFoundError, OSError: If an image does not exist, or
                ``out_dir`` cannot be written to.
            TypeError: If an input is no path and no uint8 array, or a number
                is not an integer.
            ValueError: If an image cannot be read or an option is wrong.
        """
        check_number('batch_size', batch_size, minimum=1, whole=True)
        if save_labels is not None and out_dir is None:
            raise ValueError('`save_labels` needs a folder: give `out_dir`')
        folder = None if out_dir is None else OutputFolder(
            out_dir, save_labels)
        images = list_images(inputs, exclude=out_dir)
        batches = self.preprocess(images, batch_size,
                                  image_names(images, inputs))
        if self.show_progress and len(images) > batch_size:
            total = math.ceil(len(images) / batch_size)
            batches = track(batches, 'Inference', total=total)
        results = dict(predictions=[], visualization=[])
        draw = return_vis or show or folder is not None
        # Batch by batch, so that pictures need not be kept to be written.
        for batch in batches:
            preds = self.forward(batch)
            figures = self.visualize(batch, preds, show,
                                     panel_size) if draw else []
            part = self.postprocess(preds, figures, return_datasamples, batch,
                                    folder, return_labels)
            results['predictions'] += part['predictions']
            results['visualization'] += figures if return_vis else []
        return results

    def preprocess(self,
                   inputs: list[ImageInput],
                   batch_size: int = 1,
                   names: list[str] | None = None
                   ) -> Iterator[list[_Prepared]]:
        """Read images, and batch successive ones of one size after scaling."""
        items = map(self.pipeline, inputs, names or image_names(inputs))
        for _, group in itertools.groupby(items, lambda i: i.scaled.shape):
            while batch := list(itertools.islice(group, batch_size)):
                yield batch

    @torch.no_grad()
    def forward(self, inputs: list[_Prepared]) -> list[SegmentHierarchy]:
        """Hierarchy per image (B = 1) of a batch, at its own size."""
        batch = self.loaded.inputs([item.scaled for item in inputs])
        run = (
            self.model.segments if self._is_whole else
            self.model.forward_hierarchy)
        hierarchies = []
        for part in batch.split(1 if self.exact else len(batch)):
            # Aligned in memory as if it were alone.
            found = run(part.clone()).hierarchy.cpu()
            hierarchies += [
                SegmentHierarchy(labels, parents) for labels, *parents in zip(
                    *(x.split(1) for x in (found.labels, *found.parents)))
            ]
        return [
            SegmentHierarchy(
                resize_labels(hierarchy.labels, item.image.shape[:2]),
                hierarchy.parents)
            for item, hierarchy in zip(inputs, hierarchies)
        ]

    def visualize(self,
                  inputs: list[_Prepared],
                  preds: list[SegmentHierarchy],
                  show: bool = False,
                  panel_size: int = 320) -> list[np.ndarray]:
        """Draw a figure per image, (H', W', 3) uint8, RGB."""
        titles = ['Segments', 'Fine groups', 'Coarse groups']
        figures = [
            hierarchy_figure(
                item.image,
                _label_maps(pred),
                titles[:pred.num_levels] if self._is_whole else None,
                header=item.name,
                panel_size=panel_size) for item, pred in zip(inputs, preds)
        ]
        for figure in figures if show else ():
            Image.fromarray(figure).show()
        return figures

    def postprocess(self,
                    preds: list[SegmentHierarchy],
                    visualization: list[np.ndarray],
                    return_datasamples: bool = False,
                    inputs: list[_Prepared] = (),
                    folder: OutputFolder | None = None,
                    return_labels: bool = True) -> dict:
        """Write the results of a batch, and pack them as they are returned."""
        predictions = []
        for i, (item, pred) in enumerate(zip(inputs, preds)):
            maps = _label_maps(pred)
            array = isinstance(item.source, np.ndarray)
            predictions.append(
                dict(
                    name=item.name,
                    img_path=None if array else str(item.source),
                    label_maps=maps if return_labels else None,
                    num_segments=[count_segments(labels) for labels in maps],
                    files=folder.write(item.name, visualization[i], maps)
                    if folder else []))
        return dict(
            predictions=list(preds) if return_datasamples else predictions,
            visualization=visualization)

    def _init_model(self, cfg: Config, weights: str | None,
                    device: torch.device) -> nn.Module:
        self.loaded = load_model(self.settings, weights, device)
        return self.loaded.module

    def _init_pipeline(self, cfg: Config) -> Callable:

        def prepare(source: ImageInput, name: str = '') -> _Prepared:
            image = read_image(source)
            return _Prepared(name or image_names([source])[0], source, image,
                             scale_image(image, self.settings.img_size))

        return prepare

    def _init_collate(self, cfg: Config) -> None:
        """Batches are made by :meth:`preprocess`."""

    def _init_visualizer(self, cfg: Config) -> None:
        """Figures are drawn by functions."""


def _label_maps(hierarchy: SegmentHierarchy) -> list[np.ndarray]:
    """(H, W) int32 per level of a hierarchy of one image."""
    return [
        hierarchy.label_map(level)[0].numpy().astype(np.int32)
        for level in range(hierarchy.num_levels)
    ]
