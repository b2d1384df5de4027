r"""H-CAST-T on Imagenette: 10 classes of 3 kinds.

Paper:    H-CAST, ICLR 2025; model, data and taxonomy are small and are not
          the paper's.
Command:  PYTHONPATH=. python tools/train.py \
              projects/hcast/configs/hcast-t_imagenette.py
Hardware: 1 CPU core, about 4 minutes.
Data:     data/imagenette/{train,val}/<class>/<image>.JPEG
Weights:  `cast-t_imagenette`, which ships with the package: trained with MoCo
          v3 on these images without labels.
Status:   trained here, results in the README.

As `hcast-s_living-17.py`, in 3 epochs of batches of 64, with one of warm-up;
crops and flips are the only augmentation before Mixup and CutMix, and
superpixels are those of the mixed image.
"""

_base_ = ['hcast-s_living-17.py']

taxonomy = 'projects/hcast/taxonomies/imagenette.json'
num_classes = 10
max_epochs = 3

model = dict(
    data_preprocessor=dict(
        num_classes=num_classes,
        superpixels=dict(type='TorchSLIC', segment_size=16)),
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=96, depths=(2, 2, 2, 1), num_heads=4),
        img_size=112,
        num_clusters=(24, 12, 6, 4),
        pos_embed='sincos',
        drop_path_rate=0.,
        init_cfg=dict(checkpoint='mmhierseg://cast-t_imagenette')),
    head=dict(in_channels=96, taxonomy=taxonomy))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=112,
        crop_ratio_range=(0.3, 1.),
        backend='pillow'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=128, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=112),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root='data/imagenette',
        taxonomy=taxonomy,
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root='data/imagenette',
        taxonomy=taxonomy,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(taxonomy=taxonomy)
test_evaluator = val_evaluator

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-3,
        by_epoch=True,
        end=1,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - 1,
        by_epoch=True,
        begin=1,
        end=max_epochs,
        convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(fp16=False)
test_cfg = dict(fp16=False)
default_hooks = dict(logger=dict(interval=20))
auto_scale_lr = dict(base_batch_size=64)
randomness = dict(seed=0)
