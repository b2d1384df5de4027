r"""CAST-B, trained on ImageNet-1K with labels, fine-tuned on ADE20K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314), which reports CAST-S.
Command:  bash tools/dist_train.sh \
          configs/cast/cast-b_segmenter_ade20k-512x512.py 4
          (with another total batch than 4 x 2, add --auto-scale-lr)
Hardware: 4 GPUs, 2 images each.
Data:     as for `cast-s_segmenter_ade20k-512x512.py`.
Weights:  those of `cast-b_deit_in1k.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in ADE20K's layout; not yet trained on ADE20K here.

As `cast-s_segmenter_ade20k-512x512.py` at twice the width: 161680 iterations.
"""

_base_ = ['cast-s_segmenter_ade20k-512x512.py']

model = dict(
    backbone=dict(
        arch='base',
        init_cfg=dict(
            checkpoint='work_dirs/cast-b_deit_in1k/epoch_300.pth')),
    decode_head=dict(in_channels=768, num_heads=12))
