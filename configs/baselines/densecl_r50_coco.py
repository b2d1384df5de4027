"""DenseCL with ResNet-50 on COCO's images.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): pre-training for table `hsg`, row DenseCL, column COCO →
          VOC.
Command:  bash tools/dist_train.sh configs/baselines/densecl_r50_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

Model, augmentation, batch, learning rate and epochs are those of MMPretrain's
recipe for ImageNet; the paper does not give its settings.
"""

_base_ = ['moco_r50_coco.py']

# The contrast of MoCo v2, and the same between cells of the feature maps.
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
