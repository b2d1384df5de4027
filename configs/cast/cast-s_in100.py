"""CAST-S, pre-trained with MoCo v3 on ImageNet-100.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row CAST-S, column IN-100.
Command:  bash tools/dist_train.sh configs/cast/cast-s_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/train/<class>/<image>.JPEG, which
          tools/dataset_converters/imagenet_subset.py makes of ImageNet.
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

As `cast-s_in1k.py` (see there for the differences from the authors' recipe),
for 200 epochs, 20 of them warm-up.
"""

_base_ = ['cast-s_in1k.py']

train_dataloader = dict(dataset=dict(data_root='data/imagenet100'))
# An epoch is a tenth of ImageNet's.
default_hooks = dict(checkpoint=dict(interval=10))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=20),
    dict(_base_.param_scheduler[1], T_max=180, begin=20, end=200),
]
train_cfg = dict(max_epochs=200)
