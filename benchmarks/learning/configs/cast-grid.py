"""The ablation "patch tokens, pooling": CAST on squares of 16 pixels.

Paper:    see cast.py.
Command:  python benchmarks/learning/run.py --models cast-grid, which trains
          cast-grid.py and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['mocov3_base.py']

grid = dict(type='Grid', segment_size=16)
model = dict(
    data_preprocessor=dict(superpixels=grid),
    backbone=dict(superpixels=dict(_delete_=True, **grid)))
train_dataloader = dict(dataset=dict(with_maps=False))
