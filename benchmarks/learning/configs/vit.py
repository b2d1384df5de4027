"""A ViT of MMPretrain that takes as many operations as cast.py, or more.

Paper:    the baseline "patch tokens, no pooling" of cast.py's.
Command:  python benchmarks/learning/run.py --models vit, which trains vit.py
          and measures what it has learned.
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.

Six blocks: 25.8 million operations for an image of 128 x 128, without its
superpixels; cast.py takes 21.6.
"""

_base_ = ['mocov3_base.py']

model = dict(
    data_preprocessor=dict(type='SelfSupDataPreprocessor'),
    backbone=dict(
        _delete_=True,
        type='MoCoV3ViT',
        arch=dict(
            embed_dims=64,
            num_layers=6,
            num_heads=4,
            feedforward_channels=256),
        img_size=128,
        patch_size=16,
        stop_grad_conv1=True))
train_dataloader = dict(dataset=dict(with_maps=False))
