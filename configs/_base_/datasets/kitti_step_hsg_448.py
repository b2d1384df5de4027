# HSG's two views of KITTI-STEP's training frames with the over-segmentation of
# each frame; no annotation is read. Evaluated by retrieval on KITTI-STEP.
# PNGs: tools/dataset_converters/generate_oversegmentation.py \
#           data/kitti_step/images/train data/kitti_step/oversegmentation/train
_base_ = ['kitti_step_retrieval.py', 'hsg_views.py']

crop_size = (448, 448)
train_pipeline = [
    dict(type='LoadImageFromFile', to_float32=True),
    dict(
        type='mmhierseg.LoadSegmentMap',
        map_prefix='data/kitti_step/oversegmentation/train',
        img_prefix='data/kitti_step/images/train'),
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
        data_root='data/kitti_step',
        data_prefix='images/train',
        with_label=False,
        pipeline=train_pipeline))

val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Every class is something that can be covered.
    dict(type='mmhierseg.NFCovering', background=None),
]
test_evaluator = val_evaluator
