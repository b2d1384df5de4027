r"""HSG with ResNet-50 on Potsdam's images, second of two: the hierarchy.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `modern`, row HSG, column Potsdam.
Command:  bash tools/dist_train.sh \
              configs/hsg/hsg_r50_stage2_potsdam-448x448.py 8
          bash tools/dist_test.sh \
              configs/hsg/hsg_r50_stage2_potsdam-448x448.py \
              work_dirs/hsg_r50_stage2_potsdam-448x448/iter_2500.pth 8
          (with another total batch than 8 x 6, add --auto-scale-lr)
Hardware: 8 GPUs, 6 images of two views each.
Data:     as in `hsg_r50_stage1_potsdam-224x224.py`.
Weights:  backbone and neck that the first stage has left in work_dirs/. Others
          by --cfg-options model.backbone.init_cfg.checkpoint=PATH
          model.neck.init_cfg.checkpoint=PATH
Status:   runs - starts from a checkpoint of the first stage, trains,
          validates, saves, resumes and tests on small generated data in
          Potsdam's layout; not yet trained on Potsdam here.

The recipe of `hsg_r50_stage2_coco-448x448.py`; see there for what differs from
the authors' code. Its length is our choice: about a tenth of the images of the
first stage.

Evaluation: as in `hsg_r50_stage1_potsdam-224x224.py`.
"""

_base_ = [
    '../_base_/models/hsg_r50_stage2.py',
    '../_base_/datasets/potsdam_hsg_448.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

stage1 = 'work_dirs/hsg_r50_stage1_potsdam-224x224/iter_9500.pth'
model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained', checkpoint=stage1, prefix='backbone.')),
    neck=dict(
        init_cfg=dict(type='Pretrained', checkpoint=stage1, prefix='neck.')),
    num_classes=6)

max_iters = 2500
optim_wrapper = dict(
    optimizer=dict(lr=8e-3),
    # Factors multiply: its biases have 20.
    paramwise_cfg=dict(patterns={'head.*': dict(lr_mult=10.)}))
param_scheduler = [
    _base_.param_scheduler[0],
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[800, 1400, 1875]),
]
train_cfg = dict(max_iters=max_iters, val_interval=1250)
auto_scale_lr = dict(base_batch_size=48)
default_hooks = dict(checkpoint=dict(interval=1250))
