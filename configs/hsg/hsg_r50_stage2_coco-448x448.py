r"""HSG with ResNet-50 on COCO's images, second of two stages: the hierarchy.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row HSG, column COCO → VOC; table `modern`,
          row HSG, column VOC 2012.
Command:  bash tools/dist_train.sh \
              configs/hsg/hsg_r50_stage2_coco-448x448.py 8
          bash tools/dist_test.sh configs/hsg/hsg_r50_stage2_coco-448x448.py \
              work_dirs/hsg_r50_stage2_coco-448x448/iter_20000.pth 8
          (with another total batch than 8 x 6, add --auto-scale-lr)
Hardware: 8 GPUs, 6 images of two views each.
Data:     as in `hsg_r50_stage1_coco-224x224.py`.
Weights:  backbone and neck that the first stage has left in work_dirs/. Others
          by --cfg-options model.backbone.init_cfg.checkpoint=PATH
          model.neck.init_cfg.checkpoint=PATH
Status:   runs - starts from a checkpoint of the first stage, trains,
          validates, saves, resumes and tests on small generated data in COCO's
          and VOC's layouts; not yet trained on COCO here.

The transformers, their queries and the positions, which are new, have ten
times the learning rate, and their biases twice that.

Differences from the authors' code:
* a pixel's own segment is left out of a contrast, not subtracted afterwards,
  which in float32 changes their loss by up to 2e-4;
* mIoU and over-segmentation: as in `hsg_r50_stage1_coco-224x224.py`.
"""

_base_ = [
    '../_base_/models/hsg_r50_stage2.py',
    '../_base_/datasets/coco_hsg_448.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

stage1 = 'work_dirs/hsg_r50_stage1_coco-224x224/iter_350000.pth'
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained', checkpoint=stage1, prefix='backbone.')),
    neck=dict(
        init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='neck.')),
    num_classes=21)

max_iters = 20000
optim_wrapper = dict(
    optimizer=dict(lr=8e-3),
    # Factors multiply: its biases have 20.
    paramwise_cfg=dict(patterns={'head.*': dict(lr_mult=10.)}))
param_scheduler = [
    _base_.param_scheduler[0],
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[6400, 11200, 15000]),
]
train_cfg = dict(max_iters=max_iters, val_interval=10000)
auto_scale_lr = dict(base_batch_size=48)
