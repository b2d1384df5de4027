# Two views of COCO's train2017 with the augmentation of MoCo v2; no annotation
# is read.
_base_ = ['coco_mocov3.py']

view_pipeline = [
    dict(_base_.view_pipeline1[0], crop_ratio_range=(0.2, 1.)),
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                hue=0.1)
        ],
        prob=0.8),
    # Grey with probability 0.2.
    _base_.view_pipeline1[2],
    dict(_base_.view_pipeline1[3], prob=0.5),
    dict(type='RandomFlip', prob=0.5),
]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='MultiView', num_views=2, transforms=[view_pipeline]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
