"""Linear probing of CAST-S on ImageNet-100.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): 79.9 top-1 (ViT-S
          78.1, Swin-T 78.3).
Command:  bash tools/dist_train.sh configs/cast/cast-s_linear_in100.py 8
          (with another total batch than 8 x 32, add --auto-scale-lr)
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/{train,val}/<class>/<image>.JPEG, which
          tools/dataset_converters/imagenet_subset.py makes of ImageNet.
Weights:  those of `cast-s_in100.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains and validates on small generated data in ImageNet's
          layout; not yet trained on ImageNet here.

What is different from the authors': see `cast-s_linear_in1k.py`.
"""

_base_ = [
    '../_base_/models/linear_cast-s.py',
    '../_base_/datasets/imagenet100_linear_seeds.py',
    '../_base_/schedules/linear_sgd_90e_in100.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(num_classes=100),
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_in100/epoch_200.pth',
            prefix='backbone.')),
    head=dict(num_classes=100))
