"""Segment videos frame by frame; only a few frames are in memory."""

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.infer import BaseInferencer
from rich.progress import track

from mmhierseg._base.errors import UserError

from .hierarchy_result import HierarchyResult
from .images import ImageInput
from .outputs import OutputFolder, naming
from .tracking import SegmentTracker

#: Suffixes of files that are read as videos, in lower case.
VIDEO_SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg',
                  '.webm')
_DEFAULT_RATE = 25.  # frames a second, of files that do not say


class VideoFrames:
    """The frames of a video file, (H, W, 3) uint8, RGB, one after the other.

    Args:
        path (str | os.PathLike): The file.

    Raises:
        UserError: If it cannot be read, or has no frames.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._capture = cv2.VideoCapture(self.path)
        if not self._capture.isOpened():
            raise UserError(f'video {self.path!r} cannot be read: it is '
                            'damaged, incomplete, or of a kind that OpenCV '
                            'does not know')
        self._first = self._read()
        if self._first is None:
            raise UserError(f'video {self.path!r} has no frames that can be '
                            'read')
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        #: float: Frames a second.
        self.rate = rate if 0 < rate < math.inf else _DEFAULT_RATE
        #: int: Frames that the file says it has, 0 = it does not say.
        self.count = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        #: str: What was wrong, known after the last frame.
        self.problem = ''

    def __iter__(self) -> Iterator[np.ndarray]:
        frame, number = self._first, 0
        self._first = None
        while frame is not None:
            yield frame
            number += 1
            frame = self._read()
        self._capture.release()
        # Some files only estimate it.
        if number < self.count - max(2, self.count // 100):
            self.problem = (f'video {self.path!r} ends after {number} of '
                            f'{self.count} frames: it is incomplete or '
                            'damaged')

    def _read(self) -> np.ndarray | None:
        found, frame = self._capture.read()
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if found else None


def is_video(source: Any) -> bool:
    """Whether an input is a path that is read as a video."""
    return isinstance(source, (str, os.PathLike)) and os.fspath(
        source).lower().endswith(VIDEO_SUFFIXES)


def take_videos(
    inputs: list[ImageInput], names: list[str], label_format: str | None
) -> tuple[list[ImageInput], list[str], list[tuple[str, str]]]:
    """Split inputs into images, their names, and (path, name) of videos."""
    pairs = list(zip(inputs, names))
    videos = [pair for pair in pairs if is_video(pair[0])]
    if videos and label_format not in (None, 'npz'):
        raise ValueError("`save_labels` of a video must be 'npz' or None, got "
                         f'{label_format!r}')
    images = [pair for pair in pairs if not is_video(pair[0])]
    return [x for x, _ in images], [name for _, name in images], videos


def follow_frames(inferencer: BaseInferencer,
                  frames: VideoFrames | Iterator[np.ndarray],
                  name: str = '',
                  batch_size: int = 1,
                  num_segments: int | None = None,
                  connected: bool = False) -> Iterator[HierarchyResult]:
    """Segment frames one after the other, with ids that stay.

    Args:
        inferencer (HierarchyInferencer): Segments the frames.
        frames (Iterable[np.ndarray]): (H, W, 3) uint8, RGB.
        name (str): Results are called ``<name>/000000``, ...
        batch_size (int): Frames that run together.
        num_segments (int, optional): Of one segmentation, not the levels.
        connected (bool): Whether its segments are split into pieces.

    Yields:
        HierarchyResult: With ``tracks``, the ids, and ``result['colors']``,
        which stay as well.
    """
    tracker = SegmentTracker()
    names = (f'{name}/{i:06d}' for i in itertools.count())
    for batch in inferencer.preprocess(frames, batch_size, names, 'rgb'):
        for result in inferencer.forward(batch):
            result.select(num_segments, connected)
            tracker.update(result)
            yield result


def segment_video(inferencer: BaseInferencer,
                  path: str | os.PathLike,
                  name: str,
                  folder: OutputFolder | None = None,
                  return_datasamples: bool = False,
                  return_vis: bool = True,
                  return_labels: bool = True,
                  panel_size: int = 320,
                  skip_errors: bool = False,
                  **options: Any) -> dict[str, list]:
    """Segment one video; arguments and result are the inferencer's.

    Without ``return_labels``, there is one prediction for the video.
    """
    found: dict[str, list] = dict(predictions=[], visualization=[], errors=[])
    try:
        frames = VideoFrames(path)
    except UserError as error:
        if not skip_errors:
            raise
        found['errors'].append((str(path), str(error)))
        return found
    shown = track(frames, 'Frames', total=frames.count or None,
                  disable=not inferencer.show_progress)
    video = dict(name=name, img_path=str(path), label_maps=None, num_frames=0)
    with _VideoOutput(folder, name, frames.rate) as output:
        for result in follow_frames(inferencer, shown, name, **options):
            result.extra.update(img_path=str(path), files=output.files)
            if return_vis or folder:
                figure, = inferencer.visualize([], [result], False, panel_size)
                output.write(result, figure)
                found['visualization'] += [figure] if return_vis else []
            if return_datasamples:
                found['predictions'].append(result.hierarchy)
            elif return_labels:
                found['predictions'].append(result)
            video['num_frames'] += 1
            video['num_segments'] = result['num_segments']
    if not (return_labels or return_datasamples):
        found['predictions'].append(dict(video, files=output.files))
    if frames.problem and not skip_errors:
        raise UserError(frames.problem)
    found['errors'] += [(str(path), frames.problem)] * bool(frames.problem)
    return found


class _VideoOutput:
    """``<name>_hierarchy.mp4``, there when it is complete, and ``.npz``."""

    def __init__(self, folder: OutputFolder | None, name: str,
                 rate: float) -> None:
        self.folder, self.rate = folder, rate
        self.files: list[str] = []
        self._writer: cv2.VideoWriter | None = None
        if folder is not None:
            self._path = folder.path / f'{name}_hierarchy.mp4'
            self._part = self._path.with_suffix('.part.mp4')
            self.files.append(str(self._path))
            if folder.label_format:
                self.files.append(str(folder.path / name))

    def __enter__(self) -> '_VideoOutput':
        return self

    def write(self, result: HierarchyResult, figure: np.ndarray) -> None:
        """Add a frame."""
        if self.folder is None:
            return
        file = f'{result.name}.npz' if self.folder.label_format else ''
        with naming(self.folder.path, file or self._path.name):
            if self._writer is None:
                self._open(figure)
            height, width = self._size
            page = np.full((height, width, 3), 255, np.uint8)
            figure = figure[:height, :width]
            page[:figure.shape[0], :figure.shape[1]] = figure
            self._writer.write(page[..., ::-1])
            if file:
                result.save(self.folder.path / file)

    def _open(self, figure: np.ndarray) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # The codec needs even sides; texts of other frames may be longer.
        self._size = tuple(n + n % 2 for n in figure.shape[:2])
        self._writer = cv2.VideoWriter(
            str(self._part), cv2.VideoWriter_fourcc(*'mp4v'), self.rate,
            self._size[::-1])
        if not self._writer.isOpened():
            raise OSError(f'{str(self._path)!r} cannot be opened as a video')

    def __exit__(self, kind: type | None, *_) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            Path(self._part).unlink(missing_ok=True)
