"""Numba kernel of :func:`mmhierseg.superpixels.borders.refine_borders`.

Shares come from a division that IEEE 754 rounds; everything else is an
integer. Most blocks at a border touch one other segment only, and loops branch
where that is likely to be known in advance.

Legend: H x W pixels, h x w blocks of F pixels, N segments, K bins. P pixels,
padded by the last ones to whole blocks of the largest side, are in the order
of a Z curve in each of these, so that the pixels of a block of any side follow
each other. Indices are unsigned where numba would look for negative ones.
"""

import math
import threading

import numpy as np

from mmhierseg.ops._numba import for_each_image, njit

#: Numbers of 16 bits that a thread keeps, 32 MiB: an image of 1024 x 2048.
_MOST_KEPT = 2**24


class _Memory(threading.local):
    """Memory that a thread keeps for its next image, if it is not too much.

    With new memory, page faults may take a third of the time.
    """
    kept = np.empty(0, np.int16)

    def take(self, number: int) -> np.ndarray:
        """(number,) int16, of any value."""
        if number > len(self.kept):
            memory = np.empty(number, np.int16)
            if number > _MOST_KEPT:
                return memory
            self.kept = memory
        return self.kept[:number]


_memory = _Memory()


def refine_borders(labels: np.ndarray, images: np.ndarray, num_labels: int,
                   side: int, num_passes: int, options: tuple[int, ...],
                   movable: np.ndarray) -> np.ndarray:
    """The same on arrays; the result is (B, H, W) int64.

    ``options``: bits per channel, shares in 1, smallest share, smoothness.
    ``movable`` (256,) bool tells by its neighbours whether a block may move.
    """
    # NumPy asks Linux for huge pages for large arrays, PyTorch does not.
    result = np.empty(images[:, 0].shape, np.int64)
    shape = 3, num_labels + 1, 1 << 3 * options[0]
    size, num_pixels = math.prod(shape), labels[0].size * side**2

    def refine(index: int) -> None:
        memory = _memory.take(size + num_pixels)
        tables, bins = memory[:size].reshape(shape), memory[size:]
        counts = tables[:2].view(np.int32).reshape(-1, shape[2])
        _refine(labels[index], images[index], bins.view(np.uint16),
                counts[:num_labels], tables[2], side, num_passes, options,
                movable, result[index])

    for_each_image(refine, len(images))
    return result


@njit  # pragma: no cover
def _refine(labels, image, bins, counts, shares, side, num_passes, options,
            movable, result):
    """Refine the borders of the segments of an image (3, H, W) uint8.

    ``bins`` (P,) uint16, ``counts`` (N, K) int32 and ``shares`` (N + 1, K)
    int16 are overwritten.
    """
    bits, num_shares, least, smoothness = options
    height, width = result.shape
    across = _find_offsets(width, side, side**2, 0)
    down = _find_offsets(height, side, side * len(across), 1)
    _find_bins(image, bits, down, across, bins)
    # Nothing moves to the outside, the frame of the map.
    outside = len(counts)
    shares[outside] = -num_shares
    segments = np.full((labels.shape[0] + 2, labels.shape[1] + 2), outside,
                       np.uint32)
    segments[1:-1, 1:-1] = labels
    counts[:] = 0
    _count(counts, segments, bins, side, down, across)
    while True:
        for number in range(num_passes):
            _share(counts, num_shares, shares)
            last = side == 1 and number == num_passes - 1
            _move(segments, bins, side, down, across, shares,
                  (least, smoothness), movable, counts, not last)
        if side == 1:
            break
        half = side // 2
        rows, columns = (height + half - 1) // half, (width + half - 1) // half
        _leave_out(counts, segments, bins, side, down, across, rows * half,
                   columns * half)
        segments, side = _double(segments, rows, columns, outside), half
    result[:] = segments[1:-1, 1:-1]


@njit  # pragma: no cover
def _find_offsets(length, side, step, first):
    """Offsets of rows or columns, padded to whole blocks, in Z order.

    Within a block, of at most 16 pixels a side, bits of the column take the
    even places and those of the row the odd ones; ``first`` is 0 or 1.
    """
    offsets = np.empty((length + side - 1) // side * side, np.int32)
    for i in range(len(offsets)):
        offsets[i] = i // side * step
        for bit in range(4):
            offsets[i] += (i % side >> bit & 1) << 2 * bit + first
    return offsets


@njit  # pragma: no cover
def _find_bins(image, bits, down, across, result):
    """Bin of each pixel, (P,), in their order."""
    height, width = image.shape[1:]
    bins, rest = np.empty(len(across), np.uint16), 8 - bits
    for y in range(len(down)):
        row = min(y, height - 1)
        red, green, blue = image[0, row], image[1, row], image[2, row]
        for x in range(width):
            bins[x] = ((np.uint16(red[x] >> rest) << bits
                        | np.uint16(green[x] >> rest)) << bits
                       | np.uint16(blue[x] >> rest))
        bins[width:] = bins[width - 1]
        for x in range(len(across)):
            result[np.uintp(down[y] + across[x])] = bins[x]


@njit  # pragma: no cover
def _count(counts, segments, bins, side, down, across):
    """Count the pixels of blocks."""
    for row in range(segments.shape[0] - 2):
        for column in range(segments.shape[1] - 2):
            segment = segments[row + 1, column + 1]
            place = down[row * side] + across[column * side]
            for i in range(place, place + side * side):
                counts[segment, bins[np.uintp(i)]] += 1


@njit  # pragma: no cover
def _leave_out(counts, segments, bins, side, down, across, height, width):
    """Stop counting the pixels beyond a height or width."""
    for y in range(side * (segments.shape[0] - 2)):
        first = width if y < height else 0
        for x in range(first, side * (segments.shape[1] - 2)):
            segment = segments[y // side + 1, x // side + 1]
            counts[segment, bins[np.uintp(down[y] + across[x])]] -= 1


@njit(error_model='numpy')  # pragma: no cover
def _share(counts, num_shares, shares):
    """Convert counts to shares."""
    for segment in range(len(counts)):
        size = np.int32(0)
        for i in range(counts.shape[1]):
            size += counts[segment, i]
        size = np.float32(max(size, 1)) / np.float32(num_shares)
        for i in range(counts.shape[1]):
            shares[segment, i] = np.int16(
                np.rint(np.float32(counts[segment, i]) / size))


@njit  # pragma: no cover
def _move(segments, bins, side, down, across, shares, options, movable,
          counts, recount):
    """Move blocks once, in four fields of blocks that do not touch."""
    height, width = segments.shape[0] - 2, segments.shape[1] - 2
    borders = _find_borders(segments)
    columns = np.empty(width, np.int32)
    for even in range(0, height + 1, 2):
        # Fields of even rows come first, so an odd row waits for the next.
        for row in (even, even - 1):
            if not 0 <= row < height:
                continue
            for first in range(2):
                some = _list_movable(segments[row:row + 3], borders[row],
                                     first, movable, columns)
                _move_row(segments[row:row + 3], some, bins, down[row * side],
                          across, side, shares, options, counts, recount)


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
def _list_movable(segments, borders, first, movable, columns):
    """List every other column whose block may leave its segment."""
    above, here, below = segments[0], segments[1], segments[2]
    at_border = 0
    for column in range(first, len(borders), 2):
        columns[at_border] = column
        at_border += borders[column]
    number = 0
    for i in range(at_border):
        column = columns[i]
        left, middle, right = (np.uintp(column), np.uintp(column + 1),
                               np.uintp(column + 2))
        own = here[middle]
        around = ((own == above[right]) | (own == below[right]) << 1
                  | (own == below[left]) << 2 | (own == above[left]) << 3
                  | (own == here[left]) << 4 | (own == below[middle]) << 5
                  | (own == here[right]) << 6 | (own == above[middle]) << 7)
        columns[number] = column
        number += movable[np.uintp(around)]
    return columns[:number]


@njit  # pragma: no cover
def _move_row(segments, columns, bins, start, across, side, shares, options,
              counts, recount):
    """Move blocks to the best segment: their own or a neighbouring one."""
    above, here, below = segments[0], segments[1], segments[2]
    least, smoothness = options
    size = side * side
    for column in columns:
        middle = np.uintp(column + 1)
        own, top, bottom = here[middle], above[middle], below[middle]
        left, right = here[np.uintp(column)], here[np.uintp(column + 2)]
        place = start + across[np.uintp(column * side)]
        other = left
        other = bottom if bottom != own else other
        other = right if right != own else other
        other = top if top != own else other
        kept = (top == own) + (right == own) + (bottom == own) + (left == own)
        best = own
        most = _sum_shares(shares, own, bins, place, size) + least * size
        most *= kept + smoothness
        if (kept + (top == other) + (right == other) + (bottom == other) +
                (left == other)) == 4:
            score = _sum_shares(shares, other, bins, place, size)
            score = (score + least * size) * (4 - kept + smoothness)
            best = other if score > most else own
        else:
            # The first of equal ones.
            for choice in (top, right, bottom, left):
                score = _sum_shares(shares, choice, bins, place, size)
                score = (score + least * size) * (
                    (choice == top) + (choice == right) + (choice == bottom) +
                    (choice == left) + smoothness)
                best = choice if score > most else best
                most = max(score, most)
        here[middle] = best
        if recount and best != own:
            for i in range(place, place + size):
                counts[own, bins[np.uintp(i)]] -= 1
                counts[best, bins[np.uintp(i)]] += 1


@njit(inline='always')  # pragma: no cover
def _sum_shares(shares, segment, bins, place, size):
    total = np.int64(shares[segment, bins[np.uintp(place)]])
    for i in range(place + 1, place + size):
        total += shares[segment, bins[np.uintp(i)]]
    return total


@njit  # pragma: no cover
def _double(segments, height, width, outside):
    """Divide each block into four, as far as they lie in the image."""
    result = np.full((height + 2, width + 2), outside, np.uint32)
    for row in range(height):
        for column in range(width):
            result[row + 1, column + 1] = segments[row // 2 + 1,
                                                   column // 2 + 1]
    return result
