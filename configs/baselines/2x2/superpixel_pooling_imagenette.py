r"""Controlled comparison on Imagenette: superpixels, with pooling.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the question of table
          `voc`, asked of small models that are alike in everything else.
Command:  python tools/train.py \
              configs/baselines/2x2/superpixel_pooling_imagenette.py
Hardware: 2 CPU cores, about 15 minutes.
Data:     data/imagenette/train/<class>/<image>.JPEG; labels are not used.
Status:   trained here, results in benchmarks/README.md.

The four configs of this folder that end in `_imagenette` differ in how the
image is divided, and whether tokens are pooled; stem, blocks, image feature
(the mean of the fused tokens), projector, schedule and views are the same.
`../vit-conv-t_imagenette.py` is the ViT beside them.
"""

_base_ = ['../../cast/cast-t_imagenette.py']

max_epochs, warmup_epochs = 7, 1

model = dict(backbone=dict(out_type='avg_segments'))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_epochs),
    dict(
        _base_.param_scheduler[1],
        T_max=max_epochs - warmup_epochs,
        begin=warmup_epochs,
        end=max_epochs),
]
train_cfg = dict(max_epochs=max_epochs)
