"""CAST-S as in `cast-s_deit_in1k.py`, with superpixels made on the device.

Superpixels are computed after Mixup and CutMix, from the images that the model
sees.

Paper:    none for these superpixels; the published numbers are SEEDS'.
Command:  bash tools/dist_train.sh configs/cast/cast-s_deit_in1k_torchslic.py 8
Hardware: 8 GPUs, 128 images each.
Status:   runs, as `cast-s_deit_in1k.py`.
"""

_base_ = ['cast-s_deit_in1k.py']

model = dict(
    data_preprocessor=dict(
        superpixels=dict(type='TorchSLIC', segment_size=16)))

# The last step before packing is SEEDS.
train_pipeline = [*_base_.train_pipeline[:-2], _base_.train_pipeline[-1]]
test_pipeline = [*_base_.test_pipeline[:-2], _base_.test_pipeline[-1]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
