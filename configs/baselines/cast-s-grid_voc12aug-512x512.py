r"""CAST-S on square patches, fine-tuned on Pascal VOC 2012.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row ablation
          (patch tokens, pooling), column after tuning.
Command:  bash tools/dist_train.sh \
              configs/baselines/cast-s-grid_voc12aug-512x512.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     as `../cast/cast-s_voc12aug-512x512.py`.
Weights:  those of `cast-s-grid_coco.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in VOC's layout; not yet trained on VOC here.

`../cast/cast-s_voc12aug-512x512.py` with patches of 16 pixels a side, 1024 in
a crop; they are made on the device, at no cost. Those of a test image are of
the resized image. (The paper does not say.)
"""

_base_ = [
    '../_base_/models/fcn_cast-s.py',
    '../_base_/datasets/pascal_voc12_cast.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/finetune_sgd_30k_voc.py',
]

model = dict(
    data_preprocessor=dict(superpixels=dict(type='Grid', segment_size=16)),
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s-grid_coco/epoch_400.pth',
            prefix='backbone.')))
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(interval=3000))
