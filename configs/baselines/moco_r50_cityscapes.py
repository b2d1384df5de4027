"""MoCo v2 with ResNet-50 on the images of Cityscapes.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): pre-training for table `hsg`, row MoCo, column
          Cityscapes.
Command:  bash tools/dist_train.sh configs/baselines/moco_r50_cityscapes.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/cityscapes/leftImg8bit/train; no annotation is read.
Status:   runs - trains on small generated data in Cityscapes' layout; not yet
          trained on Cityscapes here.

`moco_r50_coco.py` with 400 epochs, which show as many images as HSG's 38k
iterations, and with a queue shorter than an epoch, so that no image is
compared with itself. The paper does not give its settings.
"""

_base_ = ['moco_r50_coco.py']

model = dict(queue_len=2048)
train_dataloader = dict(
    dataset=dict(data_root='data/cityscapes', data_prefix='leftImg8bit/train'))
max_epochs = 400
param_scheduler = [
    dict(_base_.param_scheduler[0], T_max=max_epochs, end=max_epochs)
]
train_cfg = dict(max_epochs=max_epochs)
