# MoCo v3 around ViT-S with patches of 16 pixels (Chen et al., ICCV 2021), all
# of it MMPretrain's: the patch embedding is drawn once and never trained.
_base_ = ['mocov3_cast-s.py']

model = dict(
    data_preprocessor=dict(type='SelfSupDataPreprocessor'),
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch='mocov3-small',
        img_size=224,
        patch_size=16,
        stop_grad_conv1=True))
