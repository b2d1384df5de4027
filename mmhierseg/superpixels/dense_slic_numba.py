"""Numba kernel of :func:`mmhierseg.superpixels.dense_slic.dense_slic`.

All values and sums are integers (in eighths, see there) that float32
represents exactly, so sums may be reordered and fused with products, which
allows vector instructions. Each iteration reads the image once.

Legend: N = R x C cells in order of rows, of up to P pixels each; 5 features
(L, a, b, y, x).
"""

import numpy as np

from mmhierseg.ops._numba import njit

#: Flags that do not change exact results; reciprocals of divisors would.
_REORDERED = {'reassoc', 'contract', 'nsz'}
#: Pixels per vector register.
_VECTOR = 16


@njit  # pragma: no cover
def dense_slic(lab, rows, columns, num_iterations, labels):
    """Divide an image (3, H, W), L*a*b*, into segments ``labels``, (H, W)."""
    number = len(rows[1]) * len(columns[1])
    centres, sums = (np.zeros((number, 5), np.float32),
                     np.zeros((number, 6), np.int64))
    size = np.diff(rows[0]).max() * np.diff(columns[0]).max()
    size = (size + _VECTOR - 1) // _VECTOR * _VECTOR
    image, sizes = np.empty((number, 5, size), np.int16), np.zeros(
        number, np.int64)
    pixels = np.empty((5, size), np.float32)
    nearest, choice = np.empty(size, np.float32), np.empty(size, np.int32)
    home, offset = np.zeros(9, np.int64), np.zeros((9, 2), np.float32)
    for cell in range(number):
        sizes[cell] = _gather(lab, cell, rows, columns, image[cell])
        _load(image[cell], pixels)
        home[0] = cell
        choice[:sizes[cell]], choice[sizes[cell]:] = 0, -1
        _add_up(pixels, sizes[cell], choice, 1, home, offset, sums)
    for iteration in range(num_iterations):
        _move(sums, centres)
        for cell in range(number):
            candidates = _find_candidates(cell, rows[1], columns[1], home,
                                          offset)
            _load(image[cell], pixels)
            _choose(pixels, sizes[cell], centres, candidates, home, offset,
                    nearest, choice)
            if iteration < num_iterations - 1:
                _add_up(pixels, sizes[cell], choice, candidates, home, offset,
                        sums)
            else:
                _write(cell, rows[0], columns[0], choice, home, labels)


@njit(error_model='numpy')  # pragma: no cover
def _gather(lab, cell, rows, columns, pixels):
    """Collect the pixels of a cell, in eighths; return their number."""
    r, c = divmod(cell, len(columns[1]))
    left, width = columns[0][c], columns[0][c + 1] - columns[0][c]
    x, eight = columns[2][left:left + width], np.float32(8)
    size = 0
    for row in range(rows[0][r], rows[0][r + 1]):
        y = np.int16(rows[2][row])
        for feature in range(3):
            source = lab[feature, row, left:left + width]
            target = pixels[feature, size:size + width]
            for i in range(width):
                target[i] = np.int16(np.rint(source[i] * eight))
        for i in range(width):
            pixels[3, size + i] = y
            pixels[4, size + i] = np.int16(x[i])
        size += width
    for feature in range(5):
        for i in range(size, pixels.shape[1]):
            pixels[feature, i] = 0
    return size


@njit  # pragma: no cover
def _load(pixels, result):
    """Convert the pixels of a cell, stored as int16 to save memory."""
    source, target = pixels.ravel(), result.ravel()
    for i in range(source.size):
        target[i] = source[i]


@njit  # pragma: no cover
def _find_candidates(cell, middle_y, middle_x, home, offset):
    """List the cells around a cell and the offsets of their middles."""
    r, c = divmod(cell, len(middle_x))
    number = 0
    for row in range(max(r - 1, 0), min(r + 2, len(middle_y))):
        for column in range(max(c - 1, 0), min(c + 2, len(middle_x))):
            home[number] = row * len(middle_x) + column
            offset[number, 0] = middle_y[row] - middle_y[r]
            offset[number, 1] = middle_x[column] - middle_x[c]
            number += 1
    return number


@njit(fastmath=_REORDERED)  # pragma: no cover
def _choose(pixels, number, centres, candidates, home, offset, nearest,
            choice):
    """Find the nearest candidate of each pixel, the first if tied."""
    end = (number + _VECTOR - 1) // _VECTOR * _VECTOR
    for i in range(end):
        nearest[i] = np.inf
    for k in range(candidates):
        cell = home[k]
        c0, c1, c2 = centres[cell, 0], centres[cell, 1], centres[cell, 2]
        c3 = centres[cell, 3] + offset[k, 0]
        c4 = centres[cell, 4] + offset[k, 1]
        # Half the squared distance, without what all have in common.
        square = (c0 * c0 + c1 * c1 + c2 * c2 + c3 * c3 +
                  c4 * c4) * np.float32(0.5)
        for i in range(end):
            distance = (
                square - c0 * pixels[0, i] - c1 * pixels[1, i] -
                c2 * pixels[2, i] - c3 * pixels[3, i] - c4 * pixels[4, i])
            nearer = distance < nearest[i]
            nearest[i] = distance if nearer else nearest[i]
            choice[i] = k if nearer else choice[i]
    # Padding behind the last pixel belongs to none.
    for i in range(number, end):
        choice[i] = -1


@njit(fastmath=_REORDERED)  # pragma: no cover
def _add_up(pixels, number, choice, candidates, home, offset, sums):
    """Add the pixels of a cell to the sums of the candidates they chose."""
    end = (number + _VECTOR - 1) // _VECTOR * _VECTOR
    zero = np.float32(0)
    for k in range(candidates):
        s0 = s1 = s2 = s3 = s4 = zero
        count = np.int32(0)
        for i in range(end):
            mine = choice[i] == k
            s0 += pixels[0, i] if mine else zero
            s1 += pixels[1, i] if mine else zero
            s2 += pixels[2, i] if mine else zero
            s3 += pixels[3, i] if mine else zero
            s4 += pixels[4, i] if mine else zero
            count += np.int32(mine)
        cell = home[k]
        sums[cell, 0] += int(s0)
        sums[cell, 1] += int(s1)
        sums[cell, 2] += int(s2)
        # Relative to the middle of the candidate's cell, not of this one.
        sums[cell, 3] += int(s3) - count * int(offset[k, 0])
        sums[cell, 4] += int(s4) - count * int(offset[k, 1])
        sums[cell, 5] += count


@njit(error_model='numpy')  # pragma: no cover
def _move(sums, centres):
    """Move centres to the mean of their pixels, if they have any."""
    for cell in range(len(centres)):
        count = np.float32(sums[cell, 5])
        if count > 0:
            for i in range(5):
                centres[cell, i] = np.rint(np.float32(sums[cell, i]) / count)
    sums[:] = 0


@njit  # pragma: no cover
def _write(cell, rows, columns, choice, home, labels):
    """Write the labels of a cell to their places in the image."""
    r, c = divmod(cell, len(columns) - 1)
    left, width = columns[c], columns[c + 1] - columns[c]
    place = 0
    for row in range(rows[r], rows[r + 1]):
        target = labels[row, left:left + width]
        for i in range(width):
            target[i] = home[choice[place + i]]
        place += width
