import numpy as np
from mmseg.datasets import PascalVOCDataset

from mmhierseg.datasets.scenes.palette import voc_palette


def test_palette_is_that_of_pascal_voc():
    expected = PascalVOCDataset.METAINFO['palette']
    assert voc_palette()[:21].tolist() == expected
    assert len(np.unique(voc_palette(), axis=0)) == 256
