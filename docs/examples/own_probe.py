"""Linear probe of `own_photos.py` on a folder of classes.

Command:  python tools/train.py docs/examples/own_probe.py
Data:     data/own/classes/{train,val}/<class>/<picture>.
Status:   runs on a few dozen pictures; see docs/own_pictures.md. Change the
          lines marked CHANGE.
"""

_base_ = ['probe.py']

data_root = 'data/own/classes'  # CHANGE
num_classes = 10  # CHANGE
checkpoint = 'work_dirs/own_photos/epoch_14.pth'  # CHANGE

# Those of the model that was pre-trained.
side, segment_size, num_clusters = 112, 16, (24, 12, 6, 4)

model = dict(
    data_preprocessor=dict(superpixels=dict(segment_size=segment_size)),
    backbone=dict(
        img_size=side,
        num_clusters=num_clusters,
        segment_at='stem',
        init_cfg=dict(checkpoint=checkpoint)),
    head=dict(num_classes=num_classes))

resize = dict(
    type='ResizeEdge', scale=side * 8 // 7, edge='short', backend='pillow')
train_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    dict(
        type='RandomResizedCrop',
        scale=side,
        crop_ratio_range=(0.3, 1.),
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmhierseg.LoadImage'),
    resize,
    dict(type='CenterCrop', crop_size=side),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
