"""Contours of an image: their strength and direction.

Two detectors: multi-scale colour gradients, and the Structured Edges of Dollár
and Zitnick ("Fast Edge Detection Using Structured Forests", TPAMI 2015) of
OpenCV's contributed modules, which need a model file. HSG used the latter on
VOC and COCO.

Legend: H x W pixels; x runs to the right, y down; directions are angles from
the x axis towards the y axis, in [0, pi), as contours are not oriented.
"""

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

#: Colour difference (CIE76) of a step whose contour has strength 1 - 1/e: with
#: it, HSG's threshold for Structured Edges, 0.25, leaves about HSG's number of
#: regions, 48, on the photographs of scikit-image.
COLOR_SCALE = 60.
#: In pixels. (1, 2, 4) follow every texture and take twice the time.
SCALES = (2., 4., 8.)


class ContourMap(NamedTuple):
    """Contours of an image."""

    strength: np.ndarray
    """(H, W) float32, 0 (no contour) to 1."""
    direction: np.ndarray
    """(H, W) float32, direction along the contour, [0, pi)."""


def gradient_contours(image: np.ndarray,
                      scales: Sequence[float] = SCALES) -> ContourMap:
    """Contours from colour gradients.

    The structure tensor of the L*a*b* image (Di Zenzo, 1986), averaged over
    scales; its larger eigenvalue is the squared gradient across the contour.
    Derivatives are scaled such that an ideal step gives its height.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        scales (Sequence[float]): Standard deviations of the Gaussians.
            Defaults to (2, 4, 8).

    Returns:
        ContourMap: Strength 1 - exp(-d / 60) for a step of the CIE76 colour
        difference d, and direction. Exactly 0 where colours do not change.

    Raises:
        TypeError, ValueError: If ``image`` is no such array.

    Example:
        >>> image = np.zeros((8, 12, 3), dtype=np.uint8)
        >>> image[:, 6:] = 255
        >>> contours = gradient_contours(image, scales=[1])
        >>> contours.strength[4, 3:9].round(1)
        array([0.1, 0.4, 0.8, 0.8, 0.4, 0.1], dtype=float32)
        >>> round(float(contours.direction[4, 6] / np.pi), 3)  # Up and down.
        0.5
    """
    _check_rgb(image)
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    # Without an offset that filters would have to cancel, areas of one colour
    # have a gradient of exactly 0, not of rounding errors.
    lab -= lab[0, 0]
    # Entries xx, xy, yy of the tensor.
    tensor = np.zeros((3, *image.shape[:2]), dtype=np.float32)
    for sigma in scales:
        dx, dy = _derivatives(lab, sigma)
        for entry, (first, second) in zip(
                tensor, ((dx, dx), (dx, dy), (dy, dy))):
            entry += np.einsum('hwc,hwc->hw', first, second) / len(scales)
    xx, xy, yy = tensor
    root = np.sqrt((xx - yy)**2 + 4 * xy**2)
    contrast = np.sqrt(np.maximum(xx + yy + root, 0) / 2)
    # The first term is the direction of the gradient.
    direction = 0.5 * np.arctan2(2 * xy, xx - yy) + math.pi / 2
    return ContourMap(-np.expm1(-contrast / COLOR_SCALE),
                      np.mod(direction, np.float32(math.pi)))


def structured_edges(image: np.ndarray,
                     detector: 'cv2.ximgproc.StructuredEdgeDetection'
                     ) -> ContourMap:
    """Contours of an image, (H, W, 3) uint8 RGB, from Structured Edges.

    The detector comes from :func:`load_structured_edges`; its response is the
    strength of the contours.
    """
    _check_rgb(image)
    strength = detector.detectEdges(image.astype(np.float32) / 255).clip(0, 1)
    return ContourMap(strength, ridge_directions(strength))


def load_structured_edges(path: str) -> 'cv2.ximgproc.StructuredEdgeDetection':
    """Load a model of Structured Edges.

    Args:
        path (str): Such as ``model.yml.gz`` of OpenCV's ``opencv_extra``.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If OpenCV lacks its contributed modules.
        ValueError: If the file is not such a model.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"there is no model of Structured Edges '{path}': it is "
            "'model.yml.gz' of OpenCV's repository opencv_extra, folder "
            'testdata/cv/ximgproc. Without it, use gradient contours')
    if not hasattr(getattr(cv2, 'ximgproc', 0),
                   'createStructuredEdgeDetection'):
        raise ImportError(
            'Structured Edges need OpenCV with its contributed modules, but '
            f'the installed cv2 {cv2.__version__} has no '
            '`cv2.ximgproc.createStructuredEdgeDetection`: install '
            'opencv-contrib-python-headless')
    # OpenCV divides by these options: 0 would crash the process.
    needed = ('stride', 'shrinkNumber', 'patchSize', 'patchInnerSize',
              'numberOfTrees', 'numberOfTreesToEvaluate')
    try:
        file = cv2.FileStorage(os.fspath(path), cv2.FILE_STORAGE_READ)
        options = file.getNode('options')
        usable = options.isMap() and all(
            options.getNode(name).real() >= 1 for name in needed)
        file.release()
    except (SystemError, cv2.error):
        usable = False
    if not usable:
        raise ValueError(f"'{path}' is not a model of Structured Edges: it "
                         f'needs the options {", ".join(needed)}')
    return cv2.ximgproc.createStructuredEdgeDetection(os.fspath(path))


def ridge_directions(strength: np.ndarray, sigma: float = 1.5) -> np.ndarray:
    """Directions along the ridges of a map.

    The direction is the eigenvector of the Hessian with the larger eigenvalue;
    across a ridge the second derivative is the most negative.

    Args:
        strength (np.ndarray): (H, W) float32, contour strength.
        sigma (float): Standard deviation of the smoothing. Defaults to 1.5.

    Returns:
        np.ndarray: (H, W) float32, in [0, pi).

    Example:
        >>> ridge = np.zeros((9, 7), dtype=np.float32)
        >>> ridge[4] = 1  # Runs along the x axis.
        >>> float(ridge_directions(ridge)[4, 3])
        0.0
    """
    smooth = cv2.GaussianBlur(
        strength, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    xx, yy, xy = (
        cv2.Sobel(
            smooth, cv2.CV_32F, *order, ksize=3, borderType=cv2.BORDER_REFLECT)
        for order in ((2, 0), (0, 2), (1, 1)))
    return np.mod(0.5 * np.arctan2(2 * xy, xx - yy), np.float32(math.pi))


def _check_rgb(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise TypeError('`image` must be an array of uint8, got '
                        f'{getattr(image, "dtype", type(image).__name__)}')
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError('`image` must have shape (H, W, 3) with at least one '
                         f'pixel, got {image.shape}')


def _derivatives(image: np.ndarray, sigma: float) -> Sequence[np.ndarray]:
    """Derivatives in x and y of a smoothed image, (H, W, C) each."""
    radius = math.ceil(3 * sigma)
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    bell = np.exp(-x**2 / (2 * sigma**2))
    # The response to a step of height 1 peaks at the sum of one half.
    slope = x * bell
    slope /= slope[radius + 1:].sum()
    bell /= bell.sum()
    return [
        cv2.sepFilter2D(
            image, cv2.CV_32F, *kernels, borderType=cv2.BORDER_REFLECT)
        for kernels in ((slope, bell), (bell, slope))
    ]
