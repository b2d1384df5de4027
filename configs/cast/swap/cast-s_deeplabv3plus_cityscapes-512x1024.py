r"""DeepLabV3+ of MMSegmentation on Cityscapes, with CAST-S for ResNet-50-D8.

Paper:    none for this combination. DeepLabV3+: arXiv 1802.02611.
Command:  bash tools/dist_train.sh \
          configs/cast/swap/cast-s_deeplabv3plus_cityscapes-512x1024.py 4
Hardware: 4 GPUs, 2 images each.
Data:     data/cityscapes, as MMSegmentation prepares it.
Weights:  none, see `docs/swap.md`.
Status:   runs - trains, validates and tests (also with --tta) on small
          generated data in Cityscapes' layout; not trained on Cityscapes
          here.

Atrous pooling takes the fused map, the decoder the fine segments of stage 0,
the auxiliary head stage 2. Clusters and windows are as in
`cast-s_fpn_cityscapes-512x1024.py`.

Superpixels are made in the loader, by SEEDS, as the last step before packing.
"""

_base_ = [
    'mmseg::deeplabv3plus/deeplabv3plus_r50-d8_4xb2-80k_cityscapes-512x1024.py'
]
custom_imports = dict(imports=['mmhierseg'])
# Interrupted and resumed is the same as uninterrupted: docs/training.md.
default_hooks = dict(random_state=dict(type='mmhierseg.RandomStateHook'))

model = dict(
    # Maps come with the images.
    data_preprocessor=dict(type='mmhierseg.SuperpixelSegDataPreProcessor'),
    pretrained=None,
    backbone=dict(
        _delete_=True,
        type='mmhierseg.CAST',
        arch='small',
        img_size=(512, 1024),
        num_clusters=(640, 320, 160, 80),
        out_type='featmap',
        out_indices=(0, 2, 'fused'),
        # Two images on a GPU are few.
        norm_cfg=dict(type='SyncBN')),
    decode_head=dict(in_channels=384, in_index=2, c1_in_channels=384),
    auxiliary_head=dict(in_channels=384, in_index=1),
    test_cfg=dict(mode='slide', crop_size=(512, 1024), stride=(341, 683)))

superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS', segment_size=16, histogram_bins=5, num_iterations=15))
train_pipeline = [
    *_base_.train_pipeline[:-1], superpixels, _base_.train_pipeline[-1]
]
test_pipeline = [
    *_base_.test_pipeline[:-1], superpixels, _base_.test_pipeline[-1]
]
tta_pipeline = [
    _base_.tta_pipeline[0],
    dict(
        type='TestTimeAug',
        transforms=[
            *_base_.tta_pipeline[1]['transforms'][:-1],
            [superpixels],
            _base_.tta_pipeline[1]['transforms'][-1],
        ]),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
