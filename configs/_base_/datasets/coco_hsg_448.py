# HSG's two views of COCO's train2017 with the over-segmentation of each image;
# no annotation is read. Evaluated by retrieval on VOC 2012.
# PNGs: tools/dataset_converters/generate_oversegmentation.py \
#           data/coco/train2017 data/coco/oversegmentation/train2017
_base_ = ['pascal_voc12_retrieval.py', 'hsg_views.py']

crop_size = (448, 448)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='mmhierseg.LoadSegmentMap',
        map_prefix='data/coco/oversegmentation/train2017',
        img_prefix='data/coco/train2017'),
    dict(
        type='mmpretrain.MultiView',
        num_views=2,
        transforms=[_base_.view_pipeline]),
    dict(type='mmpretrain.PackInputs'),
]
train_dataloader = dict(
    # In place of the None of what does not train.
    _delete_=True,
    batch_size=6,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='default_collate'),
    dataset=dict(
        type='mmpretrain.CustomDataset',
        data_root='data/coco',
        data_prefix='train2017',
        with_label=False,
        pipeline=train_pipeline))

val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.NFCovering'),
]
test_evaluator = val_evaluator
