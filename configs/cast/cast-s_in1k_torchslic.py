"""CAST-S as in `cast-s_in1k.py`, with superpixels made on the device.

The loader only augments, and `TorchSLIC` segments the whole batch on the GPU
after the augmentation. SEEDS takes the loader about 30 ms an image (two views,
one core).

Paper:    none for these superpixels; the published numbers are SEEDS'.
Command:  bash tools/dist_train.sh configs/cast/cast-s_in1k_torchslic.py 8
Hardware: 8 GPUs, 32 images each.
Status:   runs, as `cast-s_in1k.py`.
"""

_base_ = ['cast-s_in1k.py']

model = dict(
    data_preprocessor=dict(
        superpixels=dict(type='TorchSLIC', segment_size=16)))

# The last step of either view is SEEDS.
view_pipeline1 = _base_.view_pipeline1[:-1]
view_pipeline2 = _base_.view_pipeline2[:-1]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# No SEEDS before the last step here, either.
test_pipeline = [*_base_.test_pipeline[:-2], _base_.test_pipeline[-1]]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
