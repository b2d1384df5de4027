"""CAST-S as a segmentation model, pre-trained with MoCo v3 on COCO's images.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `voc`, row CAST-S, before and after tuning.
Command:  bash tools/dist_train.sh configs/cast/cast-s_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

As `cast-s_in1k.py` (see there for the differences from the authors' recipe),
but the image feature is the mean of its fused segment tokens instead of the
class token; 400 epochs, 40 of them warm-up. Empty tokens stay out of that
mean, and of the statistics of the fusion's BN; the authors count them in.

`kept_epoch_150.pth` stays for retrieval.
"""

_base_ = ['cast-s_in1k.py']

model = dict(
    backbone=dict(out_type='avg_segments', decay_unused_pooling=True))
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
