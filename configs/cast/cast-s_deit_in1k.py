"""CAST-S, trained with labels on ImageNet-1K as DeiT is.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `supervised`, row
          CAST-S, column IN-1K.
Command:  bash tools/dist_train.sh configs/cast/cast-s_deit_in1k.py 8
          (with another total batch than 8 x 128, add --auto-scale-lr; with
          one process, the three copies of an image that repeated
          augmentation makes meet in one batch)
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG, or images of val/
          without folders and their labels in data/imagenet/meta/val.txt
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in ImageNet's layout; not yet trained on ImageNet
          here.

Superpixels are computed before Mixup and CutMix, as published: the segments
are those of the unmixed image. `cast-s_deit_in1k_torchslic.py` segments the
mixed images.

Differences from the authors' recipe, because MMPretrain expresses something
differently or on purpose:

* Empty tokens are masked out: see the header of `cast-s_in1k.py`.
* Random erasing comes before the normalisation, so its noise is rounded, and
  3 % of it cut, to 0..255.
* Superpixels are of the 8 bits that the augmentation gives; the authors'
  lose a third of the levels one on the way, which moves some borders.
* Mixup and CutMix pair images at random; timm pairs the first of a batch with
  the last. Area, ratio and labels are the same.
* The moving average starts from the weights after the first iteration, timm's
  from the weights before. As in the authors' evaluation, it is not used: the
  trained weights are tested and handed on. It is `ema_state_dict` in
  checkpoints.
* Repeated augmentation: with 8 GPUs, as theirs, 1251 batches of the same
  images; otherwise the last incomplete batch of each process is dropped.
"""

_base_ = [
    '../_base_/datasets/imagenet_deit_seeds.py',
    '../_base_/schedules/deit_adamw_300e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='ImageClassifier',
    data_preprocessor=dict(
        type='mmhierseg.SuperpixelClsDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
        num_classes=1000),
    backbone=dict(
        type='mmhierseg.CAST',
        arch='small',
        img_size=224,
        num_clusters=(64, 32, 16, 8),
        pos_embed='learned',
        out_type='cls_token',
        drop_path_rate=0.1),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=384,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=.02)),
    # Every batch gets one of the two, with equal chances.
    train_cfg=dict(augments=[
        dict(type='Mixup', alpha=0.8),
        dict(type='CutMix', alpha=1.0),
    ]))

default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
# BN of the stem takes its statistics over each GPU's own images.
find_unused_parameters = False
