"""Classes of CamVid from the colours of its label maps."""

import numpy as np
from PIL import Image

from mmhierseg._base.errors import UserError
from mmhierseg.registry import TRANSFORMS

from .load_label_map import LoadLabelMap

#: Colours of each of SegNet's 11 classes, a digit for 64 of R, G and B: its
#: own, then those of classes that it takes in.
COLORS = dict(
    Sky='222',
    Building='200 021 101 130 302',  # bridge, tunnel, wall, archway
    Pole='332 001',  # traffic cone
    Road='212 203 301',  # lane markings
    Pavement='003 132 223',  # parking block, road shoulder
    Tree='220 330',  # other vegetation
    SignSymbol='322 221 011',  # text, traffic light
    Fence='112',
    Car='102 123 323 312 211',  # pickup, truck or bus, train, other moving
    Pedestrian='110 321 103 121',  # child, cart or pram, animal
    Bicyclist='023 303')  # motorcycle

_TABLE = np.full(64, 254, np.uint8)
for _i, _colors in enumerate(COLORS.values()):
    _TABLE[[int(color, 4) for color in _colors.split()]] = _i
_TABLE[0] = 255


@TRANSFORMS.register_module()
class LoadCamVidMap(LoadLabelMap):
    """:class:`LoadLabelMap` for CamVid's own label maps, coloured PNGs.

    Their 32 classes become SegNet's 11; the void class is 255.
    """

    def _classes(self, image: Image.Image, path: str) -> np.ndarray:
        if image.mode != 'RGB':
            raise UserError(f"label map '{path}' must be of mode RGB, got "
                            f'{image.mode}; LoadAnnotations reads the maps of '
                            'the other layout')
        pixels = np.asarray(image)
        labels = _TABLE[pixels // 64 @ np.array([16, 4, 1], np.uint8)]
        unknown = (labels == 254) | (pixels % 64).any(2)
        if unknown.mean() > 0.01:
            raise UserError(
                f"label map '{path}': {unknown.mean():.0%} of the pixels have "
                "none of CamVid's colours; it may have been resized")
        labels[unknown] = 255
        return labels
