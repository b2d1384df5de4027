# MoCo v3 around Swin-T (Liu et al., ICCV 2021), all of it MMPretrain's: the
# image feature is the mean of the last feature map.
_base_ = ['mocov3_cast-s.py']

model = dict(
    data_preprocessor=dict(type='SelfSupDataPreprocessor'),
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        arch='tiny',
        img_size=224,
        # None of the models that it is compared with has stochastic depth.
        drop_path_rate=0.),
    neck=dict(in_channels=768, with_avg_pool=True))
