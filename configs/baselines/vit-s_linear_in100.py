"""Linear probing of ViT-S on ImageNet-100.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_linear_in100.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-s_linear_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/{train,val}/<class>/<image>.JPEG
Weights:  those of `vit-s_in100.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs, as `vit-s_linear_in1k.py`; not yet trained on ImageNet here.

Data and budget are those of `../cast/cast-s_linear_in100.py`.
"""

_base_ = ['vit-s_linear_in1k.py']

# The classifier keeps 1000 outputs, as the authors'.
model = dict(
    backbone=dict(
        init_cfg=dict(checkpoint='work_dirs/vit-s_in100/epoch_200.pth')))
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        # Classes are the folders: MMPretrain's `ImageNet` wants all 1000.
        _delete_=True,
        type='CustomDataset',
        data_root='data/imagenet100',
        data_prefix='train',
        pipeline=_base_.train_pipeline))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='CustomDataset',
        data_root='data/imagenet100',
        data_prefix='val',
        pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(optimizer=dict(lr=0.8))
auto_scale_lr = dict(base_batch_size=256)
