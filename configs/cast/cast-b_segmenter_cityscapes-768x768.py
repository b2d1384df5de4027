r"""CAST-B, trained on ImageNet-1K with labels, fine-tuned on Cityscapes.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314); Segmenter's recipe.
Command:  bash tools/dist_train.sh \
          configs/cast/cast-b_segmenter_cityscapes-768x768.py 4
          (with another total batch than 4 x 2, add --auto-scale-lr)
Hardware: 4 GPUs, 2 images each.
Data:     as for `cast-s_segmenter_cityscapes-768x768.py`.
Weights:  those of `cast-b_deit_in1k.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in Cityscapes' layout; not yet trained on Cityscapes
          here.

As `cast-s_segmenter_cityscapes-768x768.py` at twice the width: 80325
iterations.
"""

_base_ = ['cast-s_segmenter_cityscapes-768x768.py']

model = dict(
    backbone=dict(
        arch='base',
        init_cfg=dict(
            checkpoint='work_dirs/cast-b_deit_in1k/epoch_300.pth')),
    decode_head=dict(in_channels=768, num_heads=12))
