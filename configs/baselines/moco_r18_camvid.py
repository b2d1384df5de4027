"""MoCo v2 with a small ResNet-18 on CamVid's frames.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data.
Command:  python tools/train.py configs/baselines/moco_r18_camvid.py
Hardware: one CPU core, minutes.
Data:     data/camvid in SegNet's layout; no annotation is read.
Status:   trained here, results in benchmarks/README.md.

`moco_r50_coco.py` with the backbone (at stride 8), batches, iterations and
images of HSG's two stages (`../hsg/hsg_r18_camvid.py`), and its own learning
rate. Changed for so few and small images: a queue shorter than an epoch; 1 %
instead of 0.1 % of the new weights in the encoder that follows, which would
keep half of its first weights; views of 96 pixels with half the blur.
"""

_base_ = ['moco_r50_coco.py']

model = dict(
    queue_len=256,
    momentum=0.01,
    # As HSG's.
    backbone=dict(
        _delete_=True,
        type='mmseg.ResNet',
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        dilations=(1, 1, 1, 2),
        multi_grid=(1, 2),
        out_indices=(3, ),
        norm_cfg=dict(type='BN'),
        zero_init_residual=False,
        style='pytorch'),
    neck=dict(in_channels=128, hid_channels=128))

view_pipeline = _base_.view_pipeline
view_pipeline[0].update(scale=96)
view_pipeline[3].update(magnitude_range=(0.1, 1.0))
train_pipeline = [
    _base_.train_pipeline[0],
    dict(type='MultiView', num_views=2, transforms=[view_pipeline]),
    _base_.train_pipeline[2],
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    dataset=dict(
        data_root='data/camvid', data_prefix='train', pipeline=train_pipeline))

# 45 batches each.
max_epochs = 12
param_scheduler = [
    dict(_base_.param_scheduler[0], T_max=max_epochs, end=max_epochs)
]
train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=2, max_keep_ckpts=1))
randomness = dict(seed=0)
