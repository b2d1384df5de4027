"""Numba kernel of :func:`mmhierseg.superpixels.borders.refine_borders`.

Shares come from a division that IEEE 754 rounds; all else are integers.

Legend: H x W pixels, h x w blocks of F pixels, N segments, K bins.
"""

import numpy as np

from mmhierseg.ops._numba import njit


@njit  # pragma: no cover
def refine_borders(labels, image, num_labels, side, num_passes, options,
                   movable, result):
    """Refine the borders of the segments of an image (3, H, W) uint8.

    ``options``: bits per channel, shares in 1, smallest share, smoothness.
    """
    bits, num_shares, least, smoothness = options
    bins = _find_bins(image, bits)
    height, width = bins.shape
    counts = np.zeros((num_labels, 1 << 3 * bits), np.int32)
    shares = np.empty((num_labels + 1, counts.shape[1]), np.int32)
    # Nothing moves to the outside, the frame of the map.
    shares[num_labels] = -num_shares
    segments = np.full((labels.shape[0] + 2, labels.shape[1] + 2), num_labels,
                       np.int32)
    segments[1:-1, 1:-1] = labels
    moves = np.empty((4, height * width), np.int32)
    whole = False
    while True:
        # Blocks that extend beyond the image count pixels repeatedly.
        before, whole = whole, height % side == 0 and width % side == 0
        if not (before and whole):
            counts[:] = 0
            for row in range(segments.shape[0] - 2):
                for column in range(segments.shape[1] - 2):
                    _count(counts[segments[row + 1, column + 1]], bins, side,
                           row, column, 1)
        for _ in range(num_passes):
            _share(counts, num_shares, shares)
            _move(segments, bins, side, shares, (least, smoothness), movable,
                  moves, counts)
        if side == 1:
            break
        side //= 2
        segments = _double(segments, (height + side - 1) // side,
                           (width + side - 1) // side, num_labels)
    result[:] = segments[1:-1, 1:-1]


@njit  # pragma: no cover
def _find_bins(image, bits):
    """Bin of each pixel."""
    bins = np.empty(image.shape[1:], np.int16)
    red, green, blue = image[0].ravel(), image[1].ravel(), image[2].ravel()
    flat = bins.ravel()
    rest = 8 - bits
    for i in range(len(flat)):
        flat[i] = ((np.int16(red[i] >> rest) << bits
                    | np.int16(green[i] >> rest)) << bits
                   | np.int16(blue[i] >> rest))
    return bins


@njit  # pragma: no cover
def _count(counts, bins, side, row, column, number):
    """Count the pixels of a block; beyond the image, the last ones again."""
    height, width = bins.shape
    for y in range(row * side, (row + 1) * side):
        for x in range(column * side, (column + 1) * side):
            counts[bins[min(y, height - 1), min(x, width - 1)]] += number


@njit(error_model='numpy')  # pragma: no cover
def _share(counts, num_shares, shares):
    """Convert counts to shares."""
    for segment in range(len(counts)):
        size = np.float32(max(counts[segment].sum(), 1)) / np.float32(
            num_shares)
        for i in range(counts.shape[1]):
            shares[segment, i] = np.int32(
                np.rint(np.float32(counts[segment, i]) / size))


@njit  # pragma: no cover
def _move(segments, bins, side, shares, options, movable, moves, counts):
    """Move blocks once, in four fields of blocks that do not touch."""
    height, width = segments.shape[0] - 2, segments.shape[1] - 2
    borders = _find_borders(segments)
    number = 0
    for field in range(4):
        first = number
        for row in range(field // 2, height, 2):
            for column in range(field % 2, width, 2):
                if not borders[row, column]:
                    continue
                own = segments[row + 1, column + 1]
                around = _look_around(segments, row, column, own)
                if not movable[around]:
                    continue
                best = _choose(segments, row, column, bins, side, shares,
                               options)
                if best != own:
                    moves[0, number], moves[1, number] = row, column
                    moves[2, number], moves[3, number] = own, best
                    number += 1
        for i in range(first, number):
            segments[moves[0, i] + 1, moves[1, i] + 1] = moves[3, i]
    # Not earlier: histograms are those at the start of a pass.
    for i in range(number):
        row, column, own, best = moves[:, i]
        _count(counts[own], bins, side, row, column, -1)
        _count(counts[best], bins, side, row, column, 1)


@njit  # pragma: no cover
def _find_borders(segments):
    """Blocks beside another segment."""
    height, width = segments.shape[0] - 2, segments.shape[1] - 2
    borders = np.empty((height, width), np.bool_)
    for row in range(height):
        above, here, below = (segments[row], segments[row + 1],
                              segments[row + 2])
        for column in range(width):
            own = here[column + 1]
            borders[row, column] = ((own != above[column + 1])
                                    | (own != here[column])
                                    | (own != here[column + 2])
                                    | (own != below[column + 1]))
    return borders


@njit  # pragma: no cover
def _look_around(segments, row, column, own):
    """Bits of the neighbours that belong to the own segment."""
    above, here, below = segments[row], segments[row + 1], segments[row + 2]
    return ((own == above[column + 2]) | (own == below[column + 2]) << 1
            | (own == below[column]) << 2 | (own == above[column]) << 3
            | (own == here[column]) << 4 | (own == below[column + 1]) << 5
            | (own == here[column + 2]) << 6
            | (own == above[column + 1]) << 7)


@njit  # pragma: no cover
def _choose(segments, row, column, bins, side, shares, options):
    """Find the best segment for a block: its own or a neighbouring one."""
    least, smoothness = options
    above, left = segments[row, column + 1], segments[row + 1, column]
    right, below = segments[row + 1, column + 2], segments[row + 2, column + 1]
    height, width = bins.shape
    best = before = np.int32(-1)
    most = np.int64(-1)
    # The first of equal ones.
    for choice in (segments[row + 1, column + 1], above, right, below, left):
        if choice == before:
            continue
        before = choice
        score = np.int64(least * side * side)
        for y in range(row * side, (row + 1) * side):
            for x in range(column * side, (column + 1) * side):
                score += shares[choice, bins[min(y, height - 1),
                                             min(x, width - 1)]]
        score *= ((choice == above) + (choice == right) + (choice == below) +
                  (choice == left) + smoothness)
        if score > most:
            best, most = choice, score
    return best


@njit  # pragma: no cover
def _double(segments, height, width, outside):
    """Divide each block into four, as far as they lie in the image."""
    result = np.full((height + 2, width + 2), outside, np.int32)
    for row in range(height):
        for column in range(width):
            result[row + 1, column + 1] = segments[row // 2 + 1,
                                                   column // 2 + 1]
    return result
