"""Linear probing of ToMe on superpixels on ImageNet-100.

Paper:    the ablation of graph pooling in "Learning Hierarchical Image
          Segmentation For Recognition and By Recognition", ICLR 2024 (arXiv
          2210.00314).
Command:  bash tools/dist_train.sh \
              projects/tome/configs/tome-s_linear_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/{train,val}/<class>/<image>.JPEG
Weights:  those of `tome-s_in100.py`. Others:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

Data and budget are those of `cast-s_linear_in100.py`.
"""

_base_ = ['mmhierseg::cast/cast-s_linear_in100.py']

custom_imports = dict(imports=['mmhierseg', 'projects.tome.tome'])
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmhierseg.SuperpixelToMe',
        arch='small',
        img_size=224,
        num_merged=16,
        pos_embed='sincos',
        # Its blocks are one stage.
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/tome-s_in100/epoch_200.pth',
            prefix='backbone.')))
