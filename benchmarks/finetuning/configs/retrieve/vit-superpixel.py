"""CAST in one stage: its superpixels grouped by k-means, looked up.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models vit-superpixel
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['base.py']

model = dict(
    embedder=dict(
        backbone=dict(arch=dict(depths=(4, )), num_clusters=())),
    kmeans=dict(num_clusters=8),
    level=-1)
