"""CAST-S on square patches, pre-trained on COCO's images.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `voc`, row ablation (patch tokens, pooling), before and after tuning.
Command:  bash tools/dist_train.sh configs/baselines/cast-s-grid_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

`../cast/cast-s_coco.py` with a grid of 14 x 14 patches, 16 pixels a side,
instead of superpixels; they are made on the device, at no cost.
"""

_base_ = ['../cast/cast-s_coco.py']

model = dict(
    data_preprocessor=dict(superpixels=dict(type='Grid', segment_size=16)))

# The last step of either view is SEEDS.
view_pipeline1 = _base_.view_pipeline1[:-1]
view_pipeline2 = _base_.view_pipeline2[:-1]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# No SEEDS before the last step here, either.
test_pipeline = [*_base_.test_pipeline[:-2], _base_.test_pipeline[-1]]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
