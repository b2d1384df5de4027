#!/usr/bin/env python
"""Draw docs/images/cast.png, the diagram of how CAST works.

    python docs/scripts/draw_cast.py work_dirs/cast-t_photos/epoch_5.pth

The segments are those that the checkpoint, of the quick start, sees in a
photograph of scikit-image; depths and numbers of clusters are CAST-S's.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from skimage import data

import mmhierseg  # noqa: F401  (first: repairs the installed stack)
from mmhierseg.apis import HierarchyInferencer
from mmhierseg.visualization import draw_boundaries, mean_colors

ROOT = Path(__file__).resolve().parents[2]
DEPTHS = (3, 3, 3, 2)

# Lengths are inches of the figure.
WIDTH, HEIGHT = 12.0, 6.9
SIDE = 1.36
COLUMNS = [2.14 + 2.08 * level for level in range(5)]
MAPS, TOKENS, OUTPUTS = 5.06, 2.35, 0.12

INK, GREY = '#1f2933', '#5f6c7b'
STAGE, POOL, OUTPUT, INPUT = '#e3edf9', '#fbe3c8', '#dff1e4', '#eef0f3'
CLASS_TOKEN = '#c0392b'
TEXT = dict(ha='center', va='center', color=INK, fontsize=11.5)


def box(ax: Axes, x: float, y: float, width: float, height: float,
        color: str, **style: object) -> None:
    """Rounded box with its lower left corner at (x, y)."""
    ax.add_patch(
        FancyBboxPatch((x, y),
                       width,
                       height,
                       boxstyle='round,pad=0,rounding_size=0.08',
                       facecolor=color,
                       **{
                           'edgecolor': 'none',
                           **style
                       }))


def arrow(ax: Axes, start: tuple[float, float],
          end: tuple[float, float], color: str = GREY) -> None:
    """Straight arrow."""
    ax.annotate(
        '',
        end,
        start,
        arrowprops=dict(
            arrowstyle='-|>', color=color, lw=1.5, shrinkA=0, shrinkB=0))


def picture(ax: Axes, image: np.ndarray, x: float, y: float,
            side: float) -> None:
    """Square picture with its lower left corner at (x, y)."""
    ax.imshow(image, extent=(x, x + side, y, y + side), zorder=2)


def token_grid(ax: Axes, colors: np.ndarray, x: float, y: float) -> None:
    """Tokens as squares in the mean colours of their segments."""
    columns = int(np.ceil(np.sqrt(len(colors))))
    rows = -(-len(colors) // columns)
    # Few tokens are drawn larger, up to a limit.
    pitch = min(1.16 / max(columns, rows), 0.22)
    left = x + SIDE / 2 - columns * pitch / 2
    top = y + 0.72 + rows * pitch / 2
    for i, color in enumerate(colors):
        row, column = divmod(i, columns)
        ax.add_patch(
            Rectangle(
                (left + column * pitch, top - (row + 1) * pitch),
                0.82 * pitch,
                0.82 * pitch,
                color=color / 255,
                lw=0))


def segments(checkpoint: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """A square photograph and its label maps, fine to coarse."""
    photo = data.chelsea()[:, 80:380]
    inferencer = HierarchyInferencer(
        str(ROOT / 'configs/cast/cast-t_photos.py'), checkpoint, device='cpu')
    # Arrays are BGR, as everywhere in OpenMMLab.
    prediction, = inferencer(photo[..., ::-1].copy())['predictions']
    return photo, prediction['label_maps']


def draw_inputs(ax: Axes, photo: np.ndarray, labels: np.ndarray) -> None:
    """The left column: RGBS and how tokens are made of it."""
    x, side = 0.2, 1.36
    ax.text(x + side / 2, HEIGHT - 0.22, 'RGBS', weight='bold', **TEXT)
    picture(ax, photo, x, MAPS, side)
    rng = np.random.default_rng(3)
    palette = rng.integers(70, 235, (labels.max() + 1, 3), dtype=np.uint8)
    low = MAPS - 1.68
    picture(ax, palette[labels], x, low, side)
    ax.text(x + side / 2, MAPS - 0.15, 'R, G, B', **TEXT)
    ax.text(x + side / 2, low - 0.15, 'S: superpixels', **TEXT)
    box(ax, x - 0.08, TOKENS - 0.62, side + 0.16, 1.06, INPUT)
    ax.text(x + side / 2, TOKENS - 0.09,
            'conv stem, mean\nover each super-\npixel, positions\nadded',
            **TEXT)
    arrow(ax, (x + side + 0.1, TOKENS), (COLUMNS[0] - 0.04, TOKENS))
    arrow(ax, (x + side / 2, low - 0.27), (x + side / 2, TOKENS + 0.47))


def draw_level(ax: Axes, level: int, photo: np.ndarray,
               labels: np.ndarray) -> None:
    """A column: the segments of a level and the stage of their tokens."""
    x, middle = COLUMNS[level], COLUMNS[level] + SIDE / 2
    count = len(np.unique(labels))
    shown = mean_colors(photo, labels) if level else photo
    large = np.kron(shown, np.ones((3, 3, 1), dtype=np.uint8))
    lines = np.kron(labels, np.ones((3, 3), dtype=labels.dtype))
    picture(ax, draw_boundaries(large, lines, width=3), x, MAPS, SIDE)
    title = f'Level {level}'
    ax.text(middle, HEIGHT - 0.22, title, weight='bold', **TEXT)
    ax.text(middle, MAPS - 0.15, f'{count} segments', **TEXT)

    last = level == len(DEPTHS)
    box(ax, x, TOKENS - 0.62, SIDE, 2.36, 'white' if last else STAGE,
        **(dict(edgecolor=GREY, ls=':', lw=1.2) if last else {}))
    means = mean_colors(photo, labels)
    colors = np.array([
        means[tuple(np.argwhere(labels == k)[0])] for k in np.unique(labels)
    ])
    ax.add_patch(
        Rectangle((middle - 0.1, TOKENS + 1.42),
                      0.2,
                      0.2,
                      color=CLASS_TOKEN,
                      lw=0))
    token_grid(ax, colors, x, TOKENS - 0.02)
    text = ('only for the\nhierarchy'
            if last else f'Stage {level + 1}:\n{DEPTHS[level]} blocks')
    ax.text(middle, TOKENS - 0.34, text, **TEXT)


def draw_pooling(ax: Axes, level: int) -> None:
    """The link between two columns: parents above, pooling below."""
    left, right = COLUMNS[level] + SIDE, COLUMNS[level + 1]
    middle = (left + right) / 2
    arrow(ax, (left + 0.05, MAPS + SIDE / 2), (right - 0.05, MAPS + SIDE / 2))
    ax.text(middle, MAPS + SIDE / 2 + 0.18, 'parents',
            **dict(TEXT, color=GREY, fontsize=10.5))
    box(ax, middle - 0.16, TOKENS - 0.3, 0.32, 1.7, POOL)
    ax.text(middle, TOKENS + 0.55, 'graph pooling', rotation=90, **TEXT)
    arrow(ax, (left + 0.02, TOKENS + 0.55), (middle - 0.17, TOKENS + 0.55))
    arrow(ax, (middle + 0.17, TOKENS + 0.55), (right - 0.02, TOKENS + 0.55))
    # Parents are where the soft assignment is largest.
    arrow(ax, (middle, TOKENS + 1.42), (middle, MAPS + SIDE / 2 - 0.06),
          '#d9a066')


def draw_outputs(ax: Axes) -> None:
    """The row of outputs, one box per kind of ``out_type``."""
    texts = [
        (COLUMNS[0], COLUMNS[0] + 2.78, "'featmap'",
         "each stage's tokens,\nwritten to their pixels"),
        (COLUMNS[0] + 2.94, COLUMNS[0] + 5.92, "'segments', 'avg_segments'",
         'tokens of all stages, joined\nalong the parents and fused'),
        (COLUMNS[0] + 6.08, COLUMNS[4] + SIDE, "'cls_token'",
         'class token after stage 4,\nnormalised'),
    ]
    rail = TOKENS - 0.86
    # Leaves room for the class token's arrow, right of the last stage.
    joints = [COLUMNS[level] + 0.4 * SIDE for level in range(4)]
    for joint in joints:
        ax.plot([joint, joint], [TOKENS - 0.62, rail], color=GREY, lw=1.5)
    ax.plot([joints[0], joints[-1]], [rail, rail], color=GREY, lw=1.5)
    cls_token = COLUMNS[3] + 0.7 * SIDE
    arrow(ax, (cls_token, TOKENS - 0.62), (cls_token, OUTPUTS + 1.1),
          CLASS_TOKEN)
    for left, right, name, text in texts:
        middle = (left + right) / 2
        box(ax, left, OUTPUTS, right - left, 1.08, OUTPUT)
        ax.text(middle, OUTPUTS + 0.86, name, family='monospace',
                weight='bold', **TEXT)
        ax.text(middle, OUTPUTS + 0.39, text, **TEXT)
        if name != "'cls_token'":
            arrow(ax, (middle, rail), (middle, OUTPUTS + 1.1))
    x = 0.88
    ax.text(x, OUTPUTS + 0.74, 'Outputs', weight='bold', **TEXT)
    ax.add_patch(
        Rectangle((0.24, OUTPUTS + 0.26), 0.2, 0.2, color=CLASS_TOKEN))
    ax.text(0.52, OUTPUTS + 0.36, 'class token', **dict(TEXT, ha='left'))


def main() -> None:
    """Draw and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('checkpoint', help='of configs/cast/cast-t_photos.py')
    parser.add_argument(
        '--out', default=str(ROOT / 'docs/images/cast.png'), help='PNG')
    args = parser.parse_args()
    photo, maps = segments(args.checkpoint)
    figure = Figure(figsize=(WIDTH, HEIGHT))
    ax = figure.add_axes((0, 0, 1, 1))
    draw_inputs(ax, photo, maps[0])
    for level, labels in enumerate(maps):
        draw_level(ax, level, photo, labels)
    for level in range(len(maps) - 1):
        draw_pooling(ax, level)
    draw_outputs(ax)
    ax.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), aspect='equal')
    ax.axis('off')
    figure.savefig(args.out, dpi=150)
    print(args.out)


if __name__ == '__main__':
    main()
