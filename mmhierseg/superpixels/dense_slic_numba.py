"""Numba kernel of :func:`mmhierseg.superpixels.dense_slic.dense_slic`.

All values and sums are integers (in eighths, see there) that float32
represents exactly, so sums may be reordered and fused with products, which
allows vector instructions. Each iteration reads the image once.

Legend: N = R x C cells in order of rows, of up to P pixels each; 5 features
(L, a, b, y, x); 9 candidates, the cells around a cell and itself.
"""

import numpy as np

from mmhierseg.ops._numba import njit

#: Flags that do not change exact results; reciprocals of divisors would.
_REORDERED = {'reassoc', 'contract', 'nsz'}
#: Pixels of a cell are padded to a multiple of this, a vector register.
_VECTOR = 16


@njit(fastmath=_REORDERED)  # pragma: no cover
def dense_slic(lab, rows, columns, num_iterations, labels):
    """Divide an image (3, H, W), L*a*b*, into segments ``labels``, (H, W)."""
    number = len(rows[1]) * len(columns[1])
    centres = np.zeros((number, 5), np.float32)
    sums = np.zeros((number, 6), np.int64)
    size = np.diff(rows[0]).max() * np.diff(columns[0]).max()
    size = (size + _VECTOR - 1) // _VECTOR * _VECTOR
    image = np.zeros((number, 5, size), np.int16)
    sizes, choice = np.zeros(number, np.int64), np.zeros(size, np.int32)
    home, offset = np.zeros(9, np.int64), np.zeros((9, 2), np.int64)
    planes = np.zeros((9, 6), np.float32)
    for cell in range(number):
        sizes[cell] = _gather(lab, cell, rows, columns, image[cell])
        home[0] = cell
        _add_up(image[cell], sizes[cell], choice, home, offset, sums)
    for iteration in range(num_iterations):
        _move(sums, centres)
        for cell in range(number):
            _find_candidates(cell, rows[1], columns[1], centres, home, offset,
                             planes)
            _choose(image[cell], sizes[cell], planes, choice)
            if iteration < num_iterations - 1:
                _add_up(image[cell], sizes[cell], choice, home, offset, sums)
            else:
                _write(cell, rows[0], columns[0], choice, home, labels)


@njit(inline='always')  # pragma: no cover
def _gather(lab, cell, rows, columns, pixels):
    """Collect the pixels of a cell, in eighths; return their number."""
    r, c = divmod(cell, len(columns[1]))
    left, width = columns[0][c], columns[0][c + 1] - columns[0][c]
    eight, size = np.float32(8), 0
    for row in range(rows[0][r], rows[0][r + 1]):
        y = np.int16(rows[2][row])
        for feature in range(3):
            for i in range(width):
                pixels[feature, size + i] = np.int16(
                    np.rint(lab[feature, row, left + i] * eight))
        for i in range(width):
            pixels[3, size + i] = y
            pixels[4, size + i] = np.int16(columns[2][left + i])
        size += width
    return size


@njit(inline='always')  # pragma: no cover
def _find_candidates(cell, middle_y, middle_x, centres, home, offset, planes):
    """List candidates, the offsets of their middles, and distances.

    Half the squared distance, without what all have in common, is the first
    value of a plane less the product of the others with a pixel.
    """
    r, c = divmod(cell, len(middle_x))
    for k in range(9):
        row, column = r + k // 3 - 1, c + k % 3 - 1
        if not (0 <= row < len(middle_y) and 0 <= column < len(middle_x)):
            planes[k, 0] = np.inf
            continue
        home[k] = row * len(middle_x) + column
        offset[k, 0] = middle_y[row] - middle_y[r]
        offset[k, 1] = middle_x[column] - middle_x[c]
        square = np.float32(0)
        for feature in range(5):
            value = centres[home[k], feature]
            if feature > 2:
                value += np.float32(offset[k, feature - 3])
            planes[k, feature + 1] = value
            square += value * value
        planes[k, 0] = square * np.float32(0.5)


@njit(inline='always')  # pragma: no cover
def _choose(pixels, number, planes, choice):
    """Find the nearest candidate of each pixel, the first if tied."""
    end = (number + _VECTOR - 1) // _VECTOR * _VECTOR
    for i in range(end):
        p0, p1, p2 = pixels[0, i], pixels[1, i], pixels[2, i]
        p3, p4 = pixels[3, i], pixels[4, i]
        nearest, best = np.float32(np.inf), np.int32(0)
        for k in range(9):
            distance = (
                planes[k, 0] - planes[k, 1] * p0 - planes[k, 2] * p1 -
                planes[k, 3] * p2 - planes[k, 4] * p3 - planes[k, 5] * p4)
            nearer = distance < nearest
            nearest = distance if nearer else nearest
            best = np.int32(k) if nearer else best
        choice[i] = best


@njit(inline='always')  # pragma: no cover
def _add_up(pixels, number, choice, home, offset, sums):
    """Add the pixels of a cell to the sums of the candidates they chose."""
    for i in range(number):
        k = np.uintp(choice[i])
        cell = np.uintp(home[k])
        for feature in range(3):
            sums[cell, feature] += pixels[feature, i]
        # Relative to the middle of the candidate's cell, not of this one.
        for side in range(2):
            sums[cell, 3 + side] += pixels[3 + side, i] - offset[k, side]
        sums[cell, 5] += 1


@njit(error_model='numpy')  # pragma: no cover
def _move(sums, centres):
    """Move centres to the mean of their pixels, if they have any."""
    for cell in range(len(centres)):
        count = np.float32(sums[cell, 5])
        if count > 0:
            for i in range(5):
                centres[cell, i] = np.rint(np.float32(sums[cell, i]) / count)
    sums[:] = 0


@njit(inline='always')  # pragma: no cover
def _write(cell, rows, columns, choice, home, labels):
    """Write the labels of a cell to their places in the image."""
    r, c = divmod(cell, len(columns) - 1)
    left, width = columns[c], columns[c + 1] - columns[c]
    place = 0
    for row in range(rows[r], rows[r + 1]):
        for i in range(width):
            labels[row, left + i] = home[choice[place + i]]
        place += width
