# HSG's two views of Cityscapes' training images with the over-segmentation of
# each image; no annotation is read. Evaluated by retrieval on Cityscapes.
# PNGs: tools/dataset_converters/generate_oversegmentation.py \
#           data/cityscapes/leftImg8bit/train \
#           data/cityscapes/oversegmentation/train
_base_ = ['cityscapes_retrieval.py', 'hsg_views.py']

crop_size = (448, 448)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='mmhierseg.LoadSegmentMap',
        map_prefix='data/cityscapes/oversegmentation/train',
        img_prefix='data/cityscapes/leftImg8bit/train'),
    dict(
        type='mmpretrain.MultiView',
        num_views=2,
        transforms=[_base_.view_pipeline]),
    dict(type='mmpretrain.PackInputs'),
]
train_dataloader = dict(
    # In place of the None of what does not train.
    _delete_=True,
    batch_size=4,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmpretrain.CustomDataset',
        data_root='data/cityscapes',
        data_prefix='leftImg8bit/train',
        with_label=False,
        pipeline=train_pipeline))

val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Every class is something that can be covered.
    dict(type='mmhierseg.NFCovering', background=None),
]
test_evaluator = val_evaluator
