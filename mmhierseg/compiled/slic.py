"""Twin of :func:`mmhierseg.superpixels.dense_slic.dense_slic`.

All values are whole numbers (of eighths, see there) that float32 holds, and
so are all sums: they are the same in whatever order and with whatever
instructions they are taken. Sums may therefore be reordered, and products
fused with them, which lets vectors of pixels be worked on at once. With one
cell in the cache it is compared with its candidates and added to the sums of
those that its pixels chose, so each iteration reads the image once.

Legend: N = R x C cells in order of rows, of up to P pixels each; 5 features
(L, a, b, y, x).
"""

import numpy as np

from .switch import njit

__all__ = ['dense_slic', 'gather_pixels', 'whole_vectors']

#: What changes nothing where all is exact. Not the use of reciprocals for
#: divisors, which would.
_REORDERED = {'reassoc', 'contract', 'nsz'}
#: Pixels of a vector register.
_VECTOR = 16


def whole_vectors(number: int) -> int:
    """The next multiple of the pixels of a vector.

    Args:
        number (int): A number of pixels.

    Returns:
        int: At least that.
    """
    return -(-number // _VECTOR) * _VECTOR


@njit(error_model='numpy')  # pragma: no cover
def gather_pixels(lab, rows, columns, y, x, pixels):
    """Bring the pixels of each cell together, in eighths.

    Args:
        lab (np.ndarray): (3, H, W) float32, L*a*b*.
        rows (np.ndarray): (R + 1,) int64, first row of each cell, and H.
        columns (np.ndarray): (C + 1,) int64.
        y (np.ndarray): (H,) float32, relative to the middle of the cell.
        x (np.ndarray): (W,) float32.
        pixels (np.ndarray): (N, 5, P) float32, the result; 0 behind the last
            pixel of a cell.
    """
    eight = np.float32(8)
    for r in range(len(rows) - 1):
        for c in range(len(columns) - 1):
            cell = pixels[r * (len(columns) - 1) + c]
            left, width = columns[c], columns[c + 1] - columns[c]
            place = 0
            for row in range(rows[r], rows[r + 1]):
                for feature in range(3):
                    source = lab[feature, row, left:left + width]
                    target = cell[feature, place:place + width]
                    for i in range(width):
                        target[i] = np.rint(source[i] * eight)
                cell[3, place:place + width] = y[row]
                cell[4, place:place + width] = x[left:left + width]
                place += width
            cell[:, place:] = 0


@njit(error_model='numpy')  # pragma: no cover
def dense_slic(pixels, rows, columns, middle_y, middle_x, num_iterations,
               labels):
    """Divide one image.

    Args:
        pixels (np.ndarray): (N, 5, P) float32 of :func:`gather_pixels`, P of
            whole vectors.
        rows (np.ndarray): (R + 1,) int64, as there.
        columns (np.ndarray): (C + 1,) int64, as there.
        middle_y (np.ndarray): (R,) float32, middles of the rows of cells.
        middle_x (np.ndarray): (C,) float32.
        num_iterations (int): At least 1.
        labels (np.ndarray): (H, W) int64, the result.
    """
    centres = np.zeros((len(pixels), 5), np.float32)
    sums = np.zeros((len(pixels), 6), np.int64)
    nearest = np.empty(pixels.shape[2], np.float32)
    choice = np.empty(pixels.shape[2], np.int32)
    home, offset = np.zeros(9, np.int64), np.zeros((9, 2), np.float32)
    for cell in range(len(pixels)):
        home[0] = cell
        number = _count_pixels(cell, rows, columns)
        choice[:number], choice[number:] = 0, -1
        _add_up(pixels[cell], number, choice, 1, home, offset, sums)
    for iteration in range(num_iterations):
        _move(sums, centres)
        for cell in range(len(pixels)):
            candidates = _find_candidates(cell, middle_y, middle_x, home,
                                          offset)
            number = _count_pixels(cell, rows, columns)
            _choose(pixels[cell], number, centres, candidates, home, offset,
                    nearest, choice)
            if iteration < num_iterations - 1:
                _add_up(pixels[cell], number, choice, candidates, home,
                        offset, sums)
            else:
                _write(cell, rows, columns, choice, home, labels)


@njit  # pragma: no cover
def _count_pixels(cell, rows, columns):
    r, c = divmod(cell, len(columns) - 1)
    return (rows[r + 1] - rows[r]) * (columns[c + 1] - columns[c])


@njit  # pragma: no cover
def _find_candidates(cell, middle_y, middle_x, home, offset):
    """List the cells around a cell, and where their middles lie from its."""
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
    """Find the nearest candidate of each pixel, the first of equal ones."""
    end = (number + _VECTOR - 1) // _VECTOR * _VECTOR
    light, green, blue = pixels[0, :end], pixels[1, :end], pixels[2, :end]
    y, x = pixels[3, :end], pixels[4, :end]
    nearest, choice = nearest[:end], choice[:end]
    nearest[:] = np.inf
    for k in range(candidates):
        c0, c1, c2, c3, c4 = centres[home[k]]
        c3 += offset[k, 0]
        c4 += offset[k, 1]
        # Half the squared distance, less what is the same for all.
        square = (c0 * c0 + c1 * c1 + c2 * c2 + c3 * c3 +
                  c4 * c4) * np.float32(0.5)
        for i in range(end):
            distance = (square - c0 * light[i] - c1 * green[i] -
                        c2 * blue[i] - c3 * y[i] - c4 * x[i])
            nearer = distance < nearest[i]
            nearest[i] = distance if nearer else nearest[i]
            choice[i] = k if nearer else choice[i]
    # What is behind the last pixel belongs to none.
    choice[number:] = -1


@njit(fastmath=_REORDERED)  # pragma: no cover
def _add_up(pixels, number, choice, candidates, home, offset, sums):
    """Add the pixels of a cell to the sums of the candidates they chose."""
    end = (number + _VECTOR - 1) // _VECTOR * _VECTOR
    light, green, blue = pixels[0, :end], pixels[1, :end], pixels[2, :end]
    y, x, choice = pixels[3, :end], pixels[4, :end], choice[:end]
    zero = np.float32(0)
    for k in range(candidates):
        s0 = s1 = s2 = s3 = s4 = zero
        count = np.int32(0)
        for i in range(end):
            mine = choice[i] == k
            s0 += light[i] if mine else zero
            s1 += green[i] if mine else zero
            s2 += blue[i] if mine else zero
            s3 += y[i] if mine else zero
            s4 += x[i] if mine else zero
            count += np.int32(mine)
        total = sums[home[k]]
        total[0] += int(s0)
        total[1] += int(s1)
        total[2] += int(s2)
        # Relative to the middle of the candidate's cell, not of this one.
        total[3] += int(s3) - count * int(offset[k, 0])
        total[4] += int(s4) - count * int(offset[k, 1])
        total[5] += count


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
    """Bring the labels of a cell to their places in the image."""
    r, c = divmod(cell, len(columns) - 1)
    left, width = columns[c], columns[c + 1] - columns[c]
    place = 0
    for row in range(rows[r], rows[r + 1]):
        target = labels[row, left:left + width]
        for i in range(width):
            target[i] = home[choice[place + i]]
        place += width
