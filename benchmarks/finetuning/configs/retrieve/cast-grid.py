"""CAST on patches, its segments looked up.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models cast-grid
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['base.py']

model = dict(
    data_preprocessor=dict(
        superpixels=dict(_delete_=True, type='Grid', segment_size=16)))
