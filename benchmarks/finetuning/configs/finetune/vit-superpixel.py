"""CAST in one stage, tuned: superpixels, no pooling.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models vit-superpixel
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['base.py']

model = dict(backbone=dict(arch=dict(depths=(4, )), num_clusters=()))
