"""Visual context retrieval: segments that look like one of a user's image.

Evaluation by retrieval (HSG, Ke et al., CVPR 2022) takes the classes of a
segment's nearest neighbours; this shows the neighbours in any images.

Legend: H x W pixels of an image, M segments of a level, D channels.
"""

import functools
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from rich.progress import track
from torch import Tensor

from mmhierseg.evaluation import MemoryBank
from mmhierseg.ops import knn_search
from mmhierseg.superpixels.base import check_number

from .images import (
    ImageInput,
    ImageSize,
    list_images,
    read_image,
    resize_labels,
    scale_image,
)
from .loading import find_device, load_model, read_settings
from .models import read_model


class Match(NamedTuple):
    """A segment of the bank that is similar to the query."""

    path: str
    """Of its image."""
    image: np.ndarray
    """(H, W, 3) uint8, RGB."""
    mask: np.ndarray
    """(H, W) bool: pixels of the segment."""
    similarity: float
    """Cosine of the two prototypes, in [-1, 1]."""


class Retrieval(NamedTuple):
    """A segment, and similar ones."""

    image: np.ndarray
    """(H, W, 3) uint8, RGB."""
    mask: np.ndarray
    """(H, W) bool: pixels of the segment."""
    point: tuple[int, int]
    """(x, y), the pixel that selected it."""
    level: int
    """0 is the finest."""
    matches: list[Match]
    """The nearest segments, most similar first."""


class ContextRetriever:
    """Finds the segments of a set of images that are similar to a given one.

    Args:
        model (str | Path | Config | dict): Config of ``HSG`` or
            ``RetrievalSegmentor``: a path, 'mmhierseg::hsg/...', or a config;
            or a saved model, as for :class:`HierarchyInferencer`.
        level (int, optional): 0 is the finest, -1 the coarsest. None: that of
            the config.
        weights, device, img_size, segment_size: As for
            :class:`HierarchyInferencer`, and so are the exceptions.
    """

    def __init__(self,
                 model: str | Path | Config | dict,
                 weights: str | None = None,
                 level: int | None = None,
                 device: str | None = None,
                 img_size: ImageSize | None = None,
                 segment_size: float | None = None) -> None:
        if level is not None:
            check_number('level', level, -math.inf, whole=True)
        cfg, weights = read_model(model, weights)
        self.settings = read_settings(
            cfg, img_size, segment_size, retrieval=True)
        self.device = find_device(device)
        self.loaded = load_model(self.settings, weights, self.device)
        self.model = self.loaded.module
        if level is not None:
            self.model.level = level
        self.bank: MemoryBank | None = None

    def fill(self,
             images: ImageInput | list[ImageInput],
             show_progress: bool = True) -> MemoryBank:
        """Fill the memory bank with all segments of images.

        Args:
            images (str | Path | list): A folder, a file, or a list of these.
                They are read again to show what is found.
            show_progress (bool): Whether to show a progress bar.

        Returns:
            MemoryBank: An entry per segment, its label the image's number.

        Raises:
            FileNotFoundError, TypeError, ValueError: If an image cannot be
                read, there is none, or there is no such level.
        """
        paths = list_images(images)
        if any(isinstance(path, np.ndarray) for path in paths):
            raise TypeError('`images` must be files or folders, which are '
                            'read again to show what is found, got an array')
        features, numbers, segments = [], [], []
        for i, path in enumerate(
                track(paths, 'Memory bank') if show_progress else paths):
            found = self._segment(path)[2]
            rows, = found.known[0].nonzero(as_tuple=True)
            features.append(found.prototypes[0][rows].float())
            numbers.append(torch.full_like(rows, i))
            segments += rows.tolist()
        self.bank = MemoryBank(
            torch.cat(features), torch.cat(numbers),
            dict(
                self._meta(),
                images=[os.path.abspath(path) for path in paths],
                segments=segments))
        return self.bank

    def load(self, path: str | os.PathLike) -> MemoryBank:
        """Load a memory bank that ``bank.save`` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds no memory bank of images, or one of
                another model, level or image size.
        """
        bank = MemoryBank.load(path)
        message = f'the memory bank in {os.fspath(path)!r} does not '
        if not {'images', 'segments'} <= set(bank.meta):
            raise ValueError(f'{message}say which images it is of: it was '
                             'made by a test; make one here from images')
        for name, value in self._meta().items():
            if bank.meta.get(name) != value:
                raise ValueError(
                    f'{message}fit: its `{name}` is {bank.meta.get(name)!r}, '
                    f'here it is {value!r}. Fill it again')
        self.bank = bank
        return bank

    def segments(self, image: ImageInput) -> tuple[np.ndarray, np.ndarray]:
        """Segments of an image, and their prototypes.

        Args:
            image (str | Path | np.ndarray): A file, or (H, W, 3) uint8, BGR.

        Returns:
            tuple[np.ndarray, np.ndarray]: Label map (H, W) int64, -1 = none,
            and prototypes (M, D) float32, of unit length.

        Raises:
            FileNotFoundError, TypeError, ValueError: If it cannot be read.
        """
        _, labels, found = self._segment(image)
        return labels, found.prototypes[0].cpu().numpy()

    def __call__(self,
                 image: ImageInput,
                 point: tuple[int, int],
                 num_neighbors: int = 5,
                 keep_own: bool = False) -> Retrieval:
        """Find segments of other files, similar to the one at a pixel.

        Args:
            image (str | Path | np.ndarray): A file, or (H, W, 3) uint8, BGR.
            point (tuple[int, int]): (x, y), column and row of the pixel.
            num_neighbors (int): How many to find.
            keep_own (bool): Whether segments of the file itself count, too.

        Returns:
            Retrieval: The segment and the nearest ones in the bank.

        Raises:
            FileNotFoundError, TypeError: If an image does not exist, or a
                number is not an integer.
            RuntimeError: If there is no bank.
            ValueError: If an image cannot be read, the pixel has no segment,
                or the bank has too few.
        """
        self._check(num_neighbors)
        pixels, labels, found = self._segment(image)
        for name, value, size in zip('xy', point, labels.shape[::-1]):
            check_number(name, value, 0, size - 1, whole=True)
        x, y = point
        segment = int(labels[y, x])
        if segment < 0 or not found.known[0][segment]:
            raise ValueError(f'there is no segment at x = {x}, y = {y}: name '
                             'another pixel')
        cosines, rows = self._search(
            image, found.prototypes[0][segment][None], num_neighbors, keep_own)
        matches = []
        read = functools.cache(self._segment)  # each image once
        for row, cosine in zip(rows[0].tolist(), cosines[0].tolist()):
            path = self.bank.meta['images'][int(self.bank.labels[row])]
            picture, others, _ = read(path)
            mask = others == self.bank.meta['segments'][row]
            matches.append(Match(path, picture, mask, cosine))
        level = self.model.level % found.hierarchy.num_levels
        return Retrieval(pixels, labels == segment, tuple(point), level,
                         matches)

    def neighbors(self,
                  image: ImageInput,
                  num_neighbors: int = 5,
                  keep_own: bool = False
                  ) -> dict[int, list[tuple[str, int, float]]]:
        """Nearest segments in the bank of every segment of an image.

        Takes and raises what calls do, but finds fewer if the bank has fewer.
        Returns, by segment, (path, segment, cosine), most similar first.
        """
        self._check(num_neighbors)
        found = self._segment(image)[2]
        known, = found.known[0].nonzero(as_tuple=True)
        cosines, rows = self._search(
            image, found.prototypes[0][known], num_neighbors, keep_own, 1)
        images, segments = (
            self.bank.meta[key] for key in ('images', 'segments'))
        numbers = self.bank.labels.tolist()
        return {
            segment: [(images[numbers[row]], segments[row], cosine)
                      for row, cosine in zip(*pair)]
            for segment, *pair in zip(known.tolist(), rows.tolist(),
                                      cosines.tolist())
        }

    def label_maps(self,
                   image: ImageInput) -> tuple[np.ndarray, list[np.ndarray]]:
        """An image, (H, W, 3) uint8, RGB, and its (H, W) maps, fine first."""
        pixels, _, found = self._segment(image)
        maps = [found.hierarchy.label_map(level)
                for level in range(found.hierarchy.num_levels)]
        return pixels, [resize_labels(labels, pixels.shape[:2])[0].cpu(
            ).numpy() for labels in maps]

    def _check(self, num_neighbors: int) -> None:
        check_number('num_neighbors', num_neighbors, minimum=1, whole=True)
        if self.bank is None:
            raise RuntimeError('there is no memory bank to search: call '
                               '`fill` or `load` before')

    def _search(self, image: ImageInput, prototypes: Tensor,
                num_neighbors: int, keep_own: bool,
                least: int | None = None) -> tuple[Tensor, Tensor]:
        """Cosines (Q, K) of the nearest entries of the bank; their rows."""
        bank = self.bank.to(self.device)
        own = None if keep_own or isinstance(
            image, np.ndarray) else os.path.realpath(image)
        others = torch.tensor([
            own is None or os.path.realpath(path) != own
            for path in bank.meta['images']], device=self.device)
        rows, = others[bank.labels].nonzero(as_tuple=True)
        if len(rows) < (least or num_neighbors):
            raise ValueError(
                f'`num_neighbors` is {num_neighbors}, but the memory bank has '
                f'only {len(rows)} segments of other images: ask for fewer, '
                'or fill it from more images')
        cosines, places = knn_search(prototypes.float(), bank.features[rows],
                                     min(num_neighbors, len(rows)))
        return cosines, rows[places]

    def _meta(self) -> dict[str, Any]:
        """Settings that a bank must have been filled with."""
        return dict(
            self.model.bank_meta(),
            img_size=repr(self.settings.img_size),
            superpixels=repr(self.settings.superpixels))

    @torch.no_grad()
    def _segment(self, source: ImageInput) -> tuple:
        """An image, its labels (H, W), and the model's ``LevelSegments``."""
        image = read_image(source)
        scaled = scale_image(image, self.settings.img_size)
        found = self.model.segments(self.loaded.inputs([scaled]))
        labels = resize_labels(found.maps, image.shape[:2])
        return image, labels[0].cpu().numpy(), found
