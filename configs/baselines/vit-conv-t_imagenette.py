"""A small ViT, pre-trained with MoCo v3 on Imagenette.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the baseline of table
          `voc`, at the size of the models in `2x2`.
Command:  python tools/train.py configs/baselines/vit-conv-t_imagenette.py
Hardware: 2 CPU cores, about 15 minutes.
Data:     data/imagenette/train/<class>/<image>.JPEG; labels are not used.
Status:   trained here, results in benchmarks/README.md.

The model of `vit-conv-s_in1k.py` with a quarter of its width and 7 blocks, in
the recipe of `2x2/superpixel_pooling_imagenette.py`; the image feature is the
class token, as in MoCo v3.
"""

_base_ = ['2x2/superpixel_pooling_imagenette.py']

model = dict(
    data_preprocessor=dict(_delete_=True, type='SelfSupDataPreprocessor',
                           mean=[123.675, 116.28, 103.53],
                           std=[58.395, 57.12, 57.375], to_rgb=True),
    backbone=dict(
        _delete_=True,
        type='mmhierseg.MoCoV3ConvViT',
        arch=dict(
            embed_dims=96,
            num_layers=7,
            num_heads=4,
            feedforward_channels=384),
        img_size=112))
