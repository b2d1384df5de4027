"""Fine-tuning of a small CAST on CamVid, for the table of recognition."""

_base_ = [
    '../../../configs/_base_/models/fcn_cast-s.py',
    '../../../configs/_base_/datasets/camvid.py',
    '../../../configs/_base_/default_runtime_seg.py',
]

crop_size = (224, 224)
max_iters = 300

model = dict(
    data_preprocessor=dict(
        size=crop_size, superpixels=dict(type='TorchSLIC', segment_size=16)),
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=96,
            depths=(2, 2, 2, 1),
            num_heads=4),
        img_size=112,
        # In proportion to those of pre-training: four times the segments.
        num_clusters=(96, 48, 24, 16)),
    decode_head=dict(in_channels=96, channels=96, num_classes=11),
    # Windows have the size of training crops, so do their tokens' number.
    test_cfg=dict(
        _delete_=True,
        mode='slide',
        crop_size=crop_size,
        stride=(136, 128),
        resize_pred='nearest'))

train_pipeline = _base_.train_pipeline
train_pipeline[3].update(crop_size=crop_size)
train_dataloader = dict(
    num_workers=1,
    dataset=dict(img_suffix='.jpg', pipeline=train_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(img_suffix='.jpg'))
test_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    dict(type='mmhierseg.BoundaryFScore'),
]

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=50),
    dict(
        type='PolyLR', power=0.9, eta_min=0., by_epoch=False, begin=50,
        end=max_iters),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = None
val_dataloader = None
val_evaluator = None
test_cfg = dict(type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1))
sync_bn = None
