"""ViT-S, pre-trained with MoCo v3 on ImageNet-100.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_in100.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-s_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/train/<class>/<image>.JPEG
Status:   runs, as `vit-s_in1k.py`; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_in100.py`.
"""

_base_ = ['vit-s_in1k.py']

train_dataloader = dict(dataset=dict(data_root='data/imagenet100'))
default_hooks = dict(checkpoint=dict(interval=10))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=20),
    dict(_base_.param_scheduler[1], T_max=180, begin=20, end=200),
]
train_cfg = dict(max_epochs=200)
