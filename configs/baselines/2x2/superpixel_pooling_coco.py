"""Controlled comparison on COCO: superpixels, with pooling (CAST-S).

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the question of table
          `voc`, asked of models that are alike in everything else.
Command:  bash tools/dist_train.sh \
              configs/baselines/2x2/superpixel_pooling_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

The four configs of this folder have one stem (stride 8), 11 blocks, the mean
of the fused tokens as the image feature, one projector, one schedule and the
same views. They differ in two settings: how the image is divided, and whether
tokens are pooled. The paper's rows are of `../../cast/cast-s_coco.py` and the
configs of `..`, whose ViT-S has another stem and image feature.
"""

_base_ = ['../../cast/cast-s_coco.py']

model = dict(
    data_preprocessor=dict(
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=384, depths=(3, 3, 3, 2),
            num_heads=12)))

# The last step of either view is SEEDS.
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[_base_.view_pipeline1[:-1], _base_.view_pipeline2[:-1]]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# No SEEDS before the last step here, either.
test_pipeline = [*_base_.test_pipeline[:-2], _base_.test_pipeline[-1]]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
