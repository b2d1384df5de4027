"""Linear probing of CAST-S on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `linear`, row
          CAST-S, column IN-1K.
Command:  bash tools/dist_train.sh configs/cast/cast-s_linear_in1k.py 8
          (with another total batch than 8 x 128, add --auto-scale-lr)
Hardware: 8 GPUs, 128 images each.
Data:     data/imagenet/{train,val}/<class>/<image>.JPEG, or images of val/
          without folders and their labels in data/imagenet/meta/val.txt
Weights:  those of `cast-s_in1k.py`. Others, the authors' converted by
          tools/model_converters/cast2mmhierseg.py among them:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in ImageNet's layout; not yet trained on ImageNet
          here.

Differences from the authors' recipe:

* Empty tokens are masked out in the backbone, as in `cast-s_in1k.py`. For
  weights of the authors, add --cfg-options model.backbone.mask_empty=False
* The last pooling, which the class token does not depend on, is not computed.

The score is that of the best epoch, `best_accuracy_top1_epoch_*.pth`.
"""

_base_ = [
    '../_base_/models/linear_cast-s.py',
    '../_base_/datasets/imagenet_linear.py',
    '../_base_/schedules/linear_sgd_90e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_in1k/epoch_100.pth',
            prefix='backbone.')))

# SEEDS superpixels, made by the loader's workers.
superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS',
        num_segments=196,
        histogram_bins=15,
        num_iterations=20))
# Before packing, the last step.
train_pipeline = [
    *_base_.train_pipeline[:-1], superpixels, _base_.train_pipeline[-1]
]
test_pipeline = [
    *_base_.test_pipeline[:-1], superpixels, _base_.test_pipeline[-1]
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
