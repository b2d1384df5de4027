r"""Controlled comparison on Imagenette: patches, with pooling.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the question of table
          `voc`, asked of small models that are alike in everything else.
Command:  python tools/train.py \
              configs/baselines/2x2/patch_pooling_imagenette.py
Hardware: 2 CPU cores, about 15 minutes.
Data:     data/imagenette/train/<class>/<image>.JPEG; labels are not used.
Status:   trained here, results in benchmarks/README.md.

See `superpixel_pooling_imagenette.py`.
"""

_base_ = ['superpixel_pooling_imagenette.py']

model = dict(
    data_preprocessor=dict(superpixels=dict(type='Grid')))
