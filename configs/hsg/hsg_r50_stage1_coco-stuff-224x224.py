r"""HSG with ResNet-50 on COCO-Stuff's images, first of two: the embedding.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432).
Command:  bash tools/dist_train.sh \
              configs/hsg/hsg_r50_stage1_coco-stuff-224x224.py 8
          bash tools/dist_test.sh \
              configs/hsg/hsg_r50_stage1_coco-stuff-224x224.py \
              work_dirs/hsg_r50_stage1_coco-stuff-224x224/iter_350000.pth 8
          (with another total batch than 8 x 16, add --auto-scale-lr)
Hardware: 8 GPUs, 16 images of two views each.
Data:     data/coco_stuff164k, as MMSegmentation prepares it, and the
          over-segmentation of each training image in
          data/coco_stuff164k/oversegmentation/train2017, by
          tools/dataset_converters/generate_oversegmentation.py. No annotation
          is read in training.
Status:   runs - trains, validates, saves, resumes and tests on small generated
          data in COCO-Stuff's layout; not yet trained on COCO-Stuff here.

The recipe and, since COCO-Stuff labels COCO's images, the training data of
`hsg_r50_stage1_coco-224x224.py`, whose checkpoints can be tested here as they
are; see there for what differs from the authors' code.

Evaluation is on MMSegmentation's 171 classes, none of them grouped; what the
paper does on COCO-Stuff may differ. K-means and sizes of images are those of
VOC.
"""

_base_ = [
    '../_base_/models/hsg_r50_stage1.py',
    '../_base_/datasets/coco_stuff_hsg_224.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(num_classes=171)
default_hooks = dict(checkpoint=dict(interval=10000))

max_iters = 350000
param_scheduler = [
    _base_.param_scheduler[0],
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[112000, 196000, 262500]),
]
train_cfg = dict(max_iters=max_iters, val_interval=50000)
auto_scale_lr = dict(base_batch_size=128)
