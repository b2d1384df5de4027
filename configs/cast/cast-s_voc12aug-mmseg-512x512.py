"""CAST-S fine-tuned on Pascal VOC 2012 with MMSegmentation's pipelines.

Paper:    none for this variant. The paper's recipe is
          `cast-s_voc12aug-512x512.py`.
Command:  bash tools/dist_train.sh \
              configs/cast/cast-s_voc12aug-mmseg-512x512.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     as `cast-s_voc12aug-512x512.py`.
Weights:  those of `cast-s_coco.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in VOC's layout; not yet trained on VOC here.

Images are scaled to a shorter side of 512 times 0.5 to 2, with photometric
distortion, and tested at a shorter side of 512; superpixels are those of the
image as the network sees it, not of padding. BN of the classifier counts
segments, and logits are resized to the image. Schedule and optimizer are those
of the paper.
"""

_base_ = [
    '../_base_/models/fcn_cast-s.py',
    '../_base_/datasets/pascal_voc12_aug_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/finetune_sgd_30k_voc.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_coco/epoch_400.pth',
            prefix='backbone.')),
    decode_head=dict(train_stride=None),
    test_cfg=dict(resize_pred=None))
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(interval=3000))
