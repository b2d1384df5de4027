r"""CAST-S, trained on ImageNet-1K with labels, fine-tuned on Pascal Context.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `supervised`, row
          CAST-S, column Pascal Context.
Command:  bash tools/dist_train.sh \
          configs/cast/cast-s_segmenter_pascal-context-480x480.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     data/VOCdevkit/VOC2010 with SegmentationClassContext, as
          MMSegmentation prepares it: 4998 images.
Weights:  as in `cast-s_segmenter_ade20k-512x512.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in Pascal Context's layout; not yet trained on it
          here.

256 epochs of 313 batches, of 4998 images by 16: 80128 iterations.

As `cast-s_segmenter_ade20k-512x512.py` (see there for the differences from the
authors' recipe). 900 superpixels are close enough to 1024 for its clusters.
The background is a class, the first of 60, as in Segmenter;
for the 59 others alone, change the `_base_` dataset to
`pascal_context_59_seeds.py` and set `num_classes`.
"""

_base_ = [
    '../_base_/models/segmenter_cast-s.py',
    '../_base_/datasets/pascal_context_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/segmenter_sgd.py',
]

model = dict(
    data_preprocessor=dict(size=(480, 480)),
    backbone=dict(
        superpixels=_base_.superpixels['superpixels'],
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_deit_in1k/epoch_300.pth',
            prefix='backbone.')),
    decode_head=dict(num_classes=60),
    test_cfg=dict(crop_size=(480, 480), stride=(448, 448)))
hierarchy_inferencer = dict(img_size=480)
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(interval=5008))

max_iters = 80128
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters + 1)]
train_cfg = dict(max_iters=max_iters, val_interval=5008)
auto_scale_lr = dict(base_batch_size=16)
