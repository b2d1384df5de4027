"""Golden values of the implementation of HSG's authors."""

import json
from pathlib import Path

import numpy as np
import torch

DATA = Path(__file__).resolve().parents[1] / 'data'
RECIPES = ['coco', 'cityscapes']


def hsg_golden(recipe):
    """Tensors of a golden file by name, and the settings."""
    with np.load(DATA / f'hsg_{recipe}.npz') as file:
        values = {key: file[key] for key in file.files}
    meta = json.loads(str(values.pop('meta')))
    return {key: torch.from_numpy(v) for key, v in values.items()}, meta
