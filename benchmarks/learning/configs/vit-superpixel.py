"""The ablation "superpixel tokens, no pooling": CAST in one stage.

Paper:    see cast.py.
Command:  python benchmarks/learning/run.py --models vit-superpixel, which
          trains vit-superpixel.py and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.

As many blocks as cast.py has: all of them on all superpixels.
"""

_base_ = ['mocov3_base.py']

model = dict(
    backbone=dict(arch=dict(depths=(4, )), num_clusters=()))
