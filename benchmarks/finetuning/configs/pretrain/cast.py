"""CAST, pre-trained for segmentation.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models cast
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.

As ../../../learning/configs/cast.py, but the image feature is
the mean of the fused segment tokens, as in configs/cast/cast-s_coco.py.
"""

_base_ = ['../../../learning/configs/cast.py']

model = dict(backbone=dict(out_type='avg_segments'))
