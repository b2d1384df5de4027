"""ViT-S, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    an extra row beside those of CAST, ICLR 2024 (arXiv 2210.00314),
          whose ViT is that of `vit-conv-s_in1k.py`.
Command:  bash tools/dist_train.sh configs/baselines/vit-s_in1k.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

MMPretrain's own `MoCoV3ViT` with data, projector, loss and schedule of
`../cast/cast-s_in1k.py`; see there for the differences from the authors'
recipe. MMPretrain's config of this name trains longer on larger batches.
"""

_base_ = [
    '../_base_/models/mocov3_cast-s.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/mocov3_adamw.py',
    '../_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(type='SelfSupDataPreprocessor'),
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch='mocov3-small',
        img_size=224,
        patch_size=16,
        stop_grad_conv1=True))
