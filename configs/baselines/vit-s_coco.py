"""ViT-S, pre-trained with MoCo v3 on COCO's images: patches, no pooling.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_coco.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-s_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

Data and budget are those of `../cast/cast-s_coco.py`. The image feature is
the class token, as in MoCo v3.
"""

_base_ = ['vit-s_in1k.py']

train_dataloader = dict(
    dataset=dict(data_root='data/coco', data_prefix='train2017'))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=40),
    dict(_base_.param_scheduler[1], T_max=360, begin=40, end=400),
]
train_cfg = dict(max_epochs=400)
# Ten epochs are about one of ImageNet.
default_hooks = dict(checkpoint=dict(interval=10))
# In addition to the last three checkpoints.
custom_hooks = [
    dict(
        type='mmhierseg.AtomicCheckpointHook',
        interval=150,
        save_last=False,
        filename_tmpl='kept_epoch_{}.pth')
]
