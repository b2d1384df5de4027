"""CAST-T, pre-trained with MoCo v3 on Imagenette: the model that ships.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314); the model and the data
          are small and are not the paper's.
Command:  python tools/train.py configs/cast/cast-t_imagenette.py
Hardware: 2 CPU cores, an hour beside other work.
Data:     data/imagenette/train/<class>/<image>.JPEG; labels are not used.
Status:   trained here - the card: mmhierseg/weights/cast-t_imagenette.md

It differs from CAST-S in width (a quarter), depth, image size (half, so that
there are 49 superpixels) and number of clusters, and in a shorter schedule
with a higher learning rate.
"""

_base_ = [
    '../_base_/models/mocov3_cast-s.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/mocov3_adamw.py',
    '../_base_/default_runtime.py',
]

max_epochs, warmup_epochs = 14, 2

model = dict(
    data_preprocessor=dict(
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=96,
            depths=(2, 2, 2, 1),
            num_heads=4),
        img_size=112,
        num_clusters=(24, 12, 6, 4)),
    neck=dict(in_channels=96, hid_channels=512, out_channels=128),
    head=dict(
        predictor=dict(
            in_channels=128, hid_channels=512, out_channels=128)))

# Views of half the side: larger parts of the image, less blur.
crop = dict(scale=112, crop_ratio_range=(0.15, 1.))
blur = dict(magnitude_range=(0.1, 1.0))
view_pipeline1 = _base_.view_pipeline1
view_pipeline1[0].update(crop)
view_pipeline1[3].update(blur)
view_pipeline2 = _base_.view_pipeline2
view_pipeline2[0].update(crop)
view_pipeline2[3].update(blur)
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(
    batch_size=128,
    num_workers=2,
    dataset=dict(data_root='data/imagenette', pipeline=train_pipeline))

test_pipeline = [
    _base_.test_pipeline[0],
    dict(_base_.test_pipeline[1], scale=128),
    dict(_base_.test_pipeline[2], crop_size=112),
    _base_.test_pipeline[-1],
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=1.5e-3, betas=(0.9, 0.999), weight_decay=0.1))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-4,
        by_epoch=True,
        begin=0,
        end=warmup_epochs,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - warmup_epochs,
        eta_min=0.,
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=128)

default_hooks = dict(
    logger=dict(interval=10), checkpoint=dict(interval=1, max_keep_ckpts=1))
randomness = dict(seed=0)

# Defaults of `HierarchyInferencer` for this model.
hierarchy_inferencer = dict(img_size=224, segment_size=16)
