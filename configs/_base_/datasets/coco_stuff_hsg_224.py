# As `coco_stuff_hsg_448.py`, with views of 224 x 224 and more images a batch.
_base_ = ['coco_stuff_hsg_448.py']

crop_size = (224, 224)
view_pipeline = [
    *_base_.view_pipeline[:2],
    dict(_base_.view_pipeline[2], size=crop_size),
    dict(_base_.view_pipeline[3], crop_size=crop_size),
    *_base_.view_pipeline[4:],
]
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(
        type='mmpretrain.MultiView', num_views=2, transforms=[view_pipeline]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
