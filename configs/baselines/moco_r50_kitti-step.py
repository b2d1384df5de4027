"""MoCo v2 with ResNet-50 on the frames of KITTI-STEP.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): pre-training for table `hsg`, row MoCo, column
          KITTI-STEP.
Command:  bash tools/dist_train.sh configs/baselines/moco_r50_kitti-step.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/kitti_step/images/train; no annotation is read.
Status:   runs - trains on small generated data in KITTI-STEP's layout; not yet
          trained on KITTI-STEP here.

`moco_r50_coco.py` with 240 epochs, which show as many images as HSG's 38k
iterations, and with a queue shorter than an epoch, so that no image is
compared with itself. The paper does not give its settings.
"""

_base_ = ['moco_r50_coco.py']

model = dict(queue_len=4096)
train_dataloader = dict(
    dataset=dict(data_root='data/kitti_step', data_prefix='images/train'))
max_epochs = 240
param_scheduler = [
    dict(_base_.param_scheduler[0], T_max=max_epochs, end=max_epochs)
]
train_cfg = dict(max_epochs=max_epochs)
