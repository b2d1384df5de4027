# DenseCL with ResNet-50, as MMPretrain has it: MoCo v2, and the same contrast
# between the cells of the feature maps.
_base_ = ['mocov2_r50.py']

model = dict(
    type='DenseCL',
    loss_lambda=0.5,
    neck=dict(
        _delete_=True,
        type='DenseCLNeck',
        in_channels=2048,
        hid_channels=2048,
        out_channels=128,
        num_grid=None))
