"""Hierarchies of a user's images, in the style of MMEngine's inferencers."""

import itertools
import math
import os
import warnings
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

from mmhierseg.superpixels.base import check_number
from mmhierseg.visualization import hierarchy_figure

from .hierarchy_result import HierarchyResult
from .images import (
    ImageInput,
    ImageSize,
    image_names,
    list_images,
    read_image,
    resize_labels,
    scale_image,
)
from .loading import find_device, load_model, read_settings
from .models import read_model
from .outputs import OutputFolder
from .results import make_result, split_output
from .video import segment_video, take_videos


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
        model (str | Path | Config | dict): A name of :func:`list_models`, a
            folder of :func:`save_pretrained` or 'user/repository' of such on
            the Hugging Face hub, path of a config, 'mmhierseg::cast/...', a
            name in the metafiles, or a config. Defaults to
            'cast-t_imagenette', a small CAST whose weights ship with the
            package.
        weights (str, optional): Checkpoint of MMEngine, or
            'mmhierseg://NAME'; the authors' have to be converted first. None:
            the model's own, else random, with a warning.
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
            GPU, but rounding changes about one hierarchy in 250. Always so
            if ``mask_empty=False``, which the authors' weights need. Defaults
            to True.
        superpixels (str | dict, optional): Name or settings of superpixels in
            place of the config's, by default of their size; with a warning if
            they differ. Defaults to None: the config's.

    Raises:
        FileNotFoundError: If config or checkpoint do not exist.
        ImportError: If SEEDS superpixels are needed, and OpenCV lacks its
            contributed modules.
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
                 exact: bool = True,
                 superpixels: str | dict | None = None) -> None:
        cfg, weights = read_model(model, weights)
        self.settings = read_settings(
            cfg, img_size, segment_size, superpixels=superpixels)
        trained = read_settings(cfg, img_size, segment_size).superpixels
        if self.settings.superpixels != trained:
            warnings.warn(
                f"superpixels are {self.settings.superpixels['type']}'s, in "
                f"training they were {trained['type']}'s ({trained}): results "
                'are not exactly those of the published model',
                stacklevel=2)
        # Not a backbone.
        self._is_whole = self.settings.model.type == 'mmhierseg.HSG'
        super().__init__(
            model=cfg,
            weights=weights,
            device=find_device(device),
            scope='mmhierseg',
            show_progress=show_progress)
        # Without masks, the empty tokens of an image depend on its batch.
        self.exact = exact or not getattr(self.model, 'mask_empty', True)

    def __call__(self,
                 inputs: ImageInput | list[ImageInput],
                 return_datasamples: bool = False,
                 batch_size: int = 1,
                 return_vis: bool = True,
                 show: bool = False,
                 panel_size: int = 320,
                 out_dir: str | None = None,
                 save_labels: str | None = None,
                 return_labels: bool = True,
                 num_segments: int | None = None,
                 connected: bool = False,
                 channel_order: str = 'bgr',
                 html: bool = False,
                 skip_errors: bool = False,
                 names: list[str] | None = None) -> dict:
        """Segment images.

        Args:
            inputs (str | Path | np.ndarray | Tensor | Image | file | list): An
                image or a video, a folder of images with subfolders, a pattern
                such as 'a/*.jpg', or a list of these. Arrays are (H, W),
                (H, W, 3) or, with opacity, (H, W, 4) uint8; tensors have
                channels first.
            return_datasamples (bool): Whether predictions are
                :class:`~mmhierseg.structures.SegmentHierarchy` (of one image
                each) instead of dicts.
            batch_size (int): Successive images of one size after scaling that
                run together. Results do not depend on it if ``exact``.
            return_vis (bool): Whether to return the figures.
            show (bool): Whether to open the figures of images.
            panel_size (int): Longer side of the figures' panels in pixels.
            out_dir (str, optional): Folder to write each figure to,
                ``<name>_hierarchy.png``, or ``.mp4`` of a video. The name is
                the path below the folder of the images, without suffix.
            save_labels (str, optional): 'png' (in colours, see
                :mod:`~mmhierseg.apis.label_pngs`), 'npz' or 'coco' (JSON with
                RLE) to write the segments there too; of a video, 'npz': what
                :meth:`HierarchyResult.save` writes, for each frame.
            return_labels (bool): Whether to return results that hold label
                maps. Without them and figures, one batch is in memory.
            num_segments (int, optional): Number of segments of one
                segmentation, not the levels; at most the superpixels.
            connected (bool): Whether its segments are split into connected
                pieces.
            channel_order (str): Of arrays and tensors, 'bgr' or 'rgb'.
            html (bool): Whether to write a page of each image, too,
                ``<name>.html``.
            skip_errors (bool): Whether what cannot be read is listed in
                ``errors`` instead of being raised.
            names (list[str], optional): Of all inputs, for files. None: by
                their paths.

        Returns:
            dict: ``predictions``, per image a
            :class:`~mmhierseg.apis.HierarchyResult`, which also answers to the
            keys ``name``, ``img_path`` (None for an array), ``label_maps``
            (per level, fine to coarse, (H, W) int32, -1 = none; with
            ``num_segments``, that one), ``num_segments`` (per level) and
            ``files`` (what was written); without ``return_labels``, a dict of
            these with ``label_maps`` None. Videos come last: a result per
            frame, whose segments keep their ids; without ``return_labels``, a
            dict per video. ``visualization``: the figures as (H', W', 3)
            uint8, RGB (empty without ``return_vis``). ``errors``: what was
            skipped, (path, message).

        Raises:
            FileNotFoundError, OSError: If an image does not exist, or
                ``out_dir`` cannot be written to.
            TypeError: If an input is no path and no uint8 array, or a number
                is not an integer.
            ValueError: If an image cannot be read or an option is wrong.
        """
        check_number('batch_size', batch_size, minimum=1, whole=True)
        for name, value in (('save_labels', save_labels), ('html', html)):
            if value and out_dir is None:
                raise ValueError(f'`{name}` needs a folder: give `out_dir`')
        if num_segments is not None:
            check_number('num_segments', num_segments, minimum=1, whole=True)
        folder = None if out_dir is None else OutputFolder(
            out_dir, save_labels, html)
        images = list_images(inputs, exclude=out_dir)
        errors: list[tuple[str, str]] = []
        images, names, videos = take_videos(
            images, names or image_names(images, inputs), save_labels)
        batches = self.preprocess(images, batch_size, names, channel_order,
                                  errors if skip_errors else None)
        if self.show_progress and len(images) > batch_size:
            total = math.ceil(len(images) / batch_size)
            batches = track(batches, 'Inference', total=total)
        results = dict(predictions=[], visualization=[], errors=errors)
        draw = return_vis or show or folder is not None
        # Batch by batch, so that pictures need not be kept to be written.
        for batch in batches:
            preds = self.forward(batch)
            for pred in preds:
                pred.select(num_segments, connected)
            figures = self.visualize(batch, preds, show,
                                     panel_size) if draw else []
            part = self.postprocess(preds, figures, return_datasamples, batch,
                                    folder, return_labels)
            results['predictions'] += part['predictions']
            results['visualization'] += figures if return_vis else []
        for path, name in videos:
            part = segment_video(
                self, path, name, folder, return_datasamples, return_vis,
                return_labels, panel_size, skip_errors, batch_size=batch_size,
                num_segments=num_segments, connected=connected)
            for key, values in part.items():
                results[key] += values
        return results

    def preprocess(self,
                   inputs: list[ImageInput],
                   batch_size: int = 1,
                   names: list[str] | None = None,
                   channel_order: str = 'bgr',
                   errors: list[tuple[str, str]] | None = None
                   ) -> Iterator[list[_Prepared]]:
        """Read images, and batch successive ones of one size after scaling.

        Those that cannot be read are added to ``errors``, or raised.
        """

        def prepare() -> Iterator[_Prepared]:
            for source, name in zip(inputs, names or image_names(inputs)):
                try:
                    yield self.pipeline(source, name, channel_order)
                except (OSError, ValueError) as error:
                    if errors is None:
                        raise
                    errors.append((str(source), str(error)))

        items = prepare()
        for _, group in itertools.groupby(items, lambda i: i.scaled.shape):
            while batch := list(itertools.islice(group, batch_size)):
                yield batch

    @torch.no_grad()
    def forward(self, inputs: list[_Prepared]) -> list[HierarchyResult]:
        """Result per image of a batch, at its own size."""
        batch = self.loaded.inputs([item.scaled for item in inputs])
        run = (
            self.model.segments if self._is_whole else
            self.model.forward_hierarchy)
        found = []
        for part in batch.split(1 if self.exact else len(batch)):
            # Aligned in memory as if it were alone.
            found += split_output(run(part.clone()))
        return [
            make_result(
                # Images can be large.
                resize_labels(hierarchy.labels.int(), item.image.shape[:2]),
                hierarchy.parents, tokens, logits, image=item.image,
                name=item.name, files=[],
                img_path=str(item.source) if isinstance(
                    item.source, (str, os.PathLike)) else None)
            for item, (hierarchy, tokens, logits) in zip(inputs, found)
        ]

    def visualize(self,
                  inputs: list[_Prepared],
                  preds: list[HierarchyResult],
                  show: bool = False,
                  panel_size: int = 320) -> list[np.ndarray]:
        """Draw a figure per image, (H', W', 3) uint8, RGB."""
        whole = ['Segments', 'Fine groups', 'Coarse groups']
        figures = [
            hierarchy_figure(
                pred.image,
                pred.chosen,
                whole[:len(pred.chosen)] if self._is_whole
                or pred.chosen is not pred.levels else None,
                header=pred.name,
                panel_size=panel_size,
                colors=pred.extra.get('colors', 'tree'),
                counts=pred['num_segments']) for pred in preds
        ]
        for figure in figures if show else ():
            Image.fromarray(figure).show()
        return figures

    def postprocess(self,
                    preds: list[HierarchyResult],
                    visualization: list[np.ndarray],
                    return_datasamples: bool = False,
                    inputs: list[_Prepared] = (),
                    folder: OutputFolder | None = None,
                    return_labels: bool = True) -> dict:
        """Write the results of a batch, and pack them as they are returned."""
        predictions: list = []
        for i, pred in enumerate(preds):
            if folder:
                pred.extra['files'] = folder.write(
                    pred.name, visualization[i] if visualization else None,
                    pred['label_maps'], pred)
            if return_datasamples:
                predictions.append(pred.hierarchy)
            elif return_labels:
                predictions.append(pred)
            else:
                predictions.append(dict(
                    label_maps=None, num_segments=pred['num_segments'],
                    name=pred.name, **pred.extra))
        return dict(predictions=predictions, visualization=visualization)

    def _init_model(self, cfg: Config, weights: str | None,
                    device: torch.device) -> nn.Module:
        self.loaded = load_model(self.settings, weights, device)
        return self.loaded.module

    def _init_pipeline(self, cfg: Config) -> Callable:

        def prepare(source: ImageInput, name: str = '',
                    channel_order: str = 'bgr') -> _Prepared:
            image = read_image(source, channel_order)
            return _Prepared(name or image_names([source])[0], source, image,
                             scale_image(image, self.settings.img_size))

        return prepare

    def _init_collate(self, cfg: Config) -> None:
        """Batches are made by :meth:`preprocess`."""

    def _init_visualizer(self, cfg: Config) -> None:
        """Figures are drawn by functions."""
