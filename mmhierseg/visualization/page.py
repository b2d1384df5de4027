"""A web page of an image and its segments, at any number of them.

The page is one file that needs no network: ``templates/hierarchy.html`` with
the scripts, the style and the image's data inside.
"""

import base64
import html
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from urllib.parse import quote

import numpy as np
from PIL import Image

from .colors import tree_colors

#: Longer side of the view; downloads have the image's own size.
_LONGEST = 2048


def hierarchy_page(image: np.ndarray,
                   labels: np.ndarray,
                   tree: np.ndarray,
                   name: str = '',
                   start: int = 8) -> str:
    """Page with a slider over all numbers of segments, as HTML.

    Args:
        image (np.ndarray): (H, W, 3) uint8, RGB.
        labels (np.ndarray): (H, W) integer, superpixels in [0, N - 1], -1 =
            none.
        tree (np.ndarray): (N - 1, 4), merges as SciPy's ``linkage`` has them.
        name (str): Of the image. It is shown as text, whatever it holds.
        start (int): Segments that are shown first.
    """
    height, width = labels.shape
    scale = min(1., _LONGEST / max(height, width))
    size = [max(1, round(n * scale)) for n in (height, width)]
    picture = Image.fromarray(image).resize(size[::-1])
    rows, columns = ((np.arange(n) + 0.5) * old // n
                     for n, old in zip(size, labels.shape))
    view = labels[rows.astype(int)[:, None], columns.astype(int)]
    data = dict(
        name=name,
        size=[height, width],
        superpixels=len(tree) + 1,
        start=start,
        merges=tree[:, :2].astype(int).tolist(),
        colors=tree_colors(tree).tolist(),
        image=embed_image(picture, 'JPEG', quality=85),
        labels=embed_labels(view))
    return fill_template('hierarchy', data)


def index_page(names: Sequence[str]) -> str:
    """Page that leads to those of images, as HTML.

    Args:
        names (Sequence[str]): Paths of the pages from the index, without
            suffix; the figures beside them are ``<name>_hierarchy.png``.
    """
    items = '\n'.join(
        f'<li><a href="{quote(name)}.html"><img loading="lazy" '
        f'src="{quote(name)}_hierarchy.png" alt="">{html.escape(name)}</a>'
        '</li>' for name in names)
    template = (files(__package__) / 'templates/index.html').read_text(
        encoding='utf-8')
    return template.replace('ITEMS', items, 1)


def fill_template(name: str, data: dict) -> str:
    """The page of a template, its style and its script, with data inside."""
    folder = files(__package__) / 'templates'
    page, style, *scripts = (
        (folder / file).read_text(encoding='utf-8') for file in (
            f'{name}.html', 'common.css', 'common.js', f'{name}.js'))
    # A name may hold `</script>`.
    text = json.dumps(data).replace('<', '\\u003c')
    before, after = page.split('SCRIPT')
    before = before.replace('STYLE', style, 1).replace('DATA', text, 1)
    return before + '\n'.join(scripts) + after


def embed_labels(labels: np.ndarray) -> str:
    """Labels (H, W), -1 = none, as an address that the scripts decode."""
    ids = labels[..., None] + 1 >> np.array([0, 8, 16]) & 255
    return embed_image(Image.fromarray(ids.astype(np.uint8)), 'PNG')


def embed_image(image: Image.Image, kind: str, **options) -> str:
    """A picture as an address of its own."""
    content = io.BytesIO()
    image.save(content, kind, **options)
    text = base64.b64encode(content.getvalue()).decode()
    return f'data:image/{kind.lower()};base64,{text}'
