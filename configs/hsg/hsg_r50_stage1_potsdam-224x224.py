r"""HSG with ResNet-50 on Potsdam's images, first of two: the embedding.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432).
Command:  bash tools/dist_train.sh \
              configs/hsg/hsg_r50_stage1_potsdam-224x224.py 8
          bash tools/dist_test.sh \
              configs/hsg/hsg_r50_stage1_potsdam-224x224.py \
              work_dirs/hsg_r50_stage1_potsdam-224x224/iter_9500.pth 8
          (with another total batch than 8 x 16, add --auto-scale-lr)
Hardware: 8 GPUs, 16 images of two views each.
Data:     data/potsdam, as MMSegmentation prepares it, in tiles of 512 x 512,
          and the over-segmentation of each training tile in
          data/potsdam/oversegmentation/train, by
          tools/dataset_converters/generate_oversegmentation.py. No annotation
          is read in training.
Status:   runs - trains, validates, saves, resumes and tests on small generated
          data in Potsdam's layout; not yet trained on Potsdam here.

The recipe of `hsg_r50_stage1_coco-224x224.py`; see there for what differs from
the authors' code. Its length is our choice: as many images as the model of
Cityscapes sees, which has about as many to train on.

Evaluation is on MMSegmentation's 6 classes, none of them grouped; what the
paper does on Potsdam may differ. K-means and sizes of images are those of VOC.
"""

_base_ = [
    '../_base_/models/hsg_r50_stage1.py',
    '../_base_/datasets/potsdam_hsg_224.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(num_classes=6)
default_hooks = dict(checkpoint=dict(interval=950))

max_iters = 9500
param_scheduler = [
    _base_.param_scheduler[0],
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[3040, 5320, 7125]),
]
train_cfg = dict(max_iters=max_iters, val_interval=4750)
auto_scale_lr = dict(base_batch_size=128)
