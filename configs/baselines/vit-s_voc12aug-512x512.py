r"""ViT-S, pre-trained on COCO without labels, fine-tuned on Pascal VOC 2012.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_voc12aug-512x512.py`.
Command:  bash tools/dist_train.sh \
              configs/baselines/vit-s_voc12aug-512x512.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     as `../cast/cast-s_voc12aug-512x512.py`.
Weights:  those of `vit-s_coco.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in VOC's layout; not yet trained on VOC here.

Schedule, augmentation and classifier (1 x 1 convolution, BN, ReLU, 1 x 1
convolution) are those of `../cast/cast-s_voc12aug-512x512.py`; it classifies
the 32 x 32 patches of a crop, and logits are brought to the size of the input
bilinearly. (The paper does not say how it classifies its baseline's pixels.)
Positions of pre-training are resized when they are loaded.
"""

_base_ = [
    '../_base_/datasets/pascal_voc12_cast.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/finetune_sgd_30k_voc.py',
]

model = dict(
    type='mmhierseg.LeanEncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        size=(512, 512),
        pad_val=0,
        seg_pad_val=255),
    backbone=dict(
        type='mmpretrain.MoCoV3ViT',
        arch='mocov3-small',
        img_size=512,
        patch_size=16,
        out_type='featmap',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/vit-s_coco/epoch_400.pth',
            prefix='backbone.')),
    decode_head=dict(
        type='FCNHead',
        in_channels=384,
        channels=384,
        num_convs=1,
        kernel_size=1,
        concat_input=False,
        dropout_ratio=0.,
        num_classes=21,
        norm_cfg=dict(type='BN'),
        init_cfg=dict(type='mmhierseg.PyTorchInit'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole', resize_pred='nearest'))

# All BN takes its statistics over all GPUs.
sync_bn = 'torch'
find_unused_parameters = False
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(interval=3000))
