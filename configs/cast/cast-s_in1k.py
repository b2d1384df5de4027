"""CAST-S, pre-trained with MoCo v3 on ImageNet-1K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `linear`, row CAST-S, column IN-1K.
Command:  bash tools/dist_train.sh configs/cast/cast-s_in1k.py 8
          (with another total batch than 8 x 32, add --auto-scale-lr)
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet/train/<class>/<image>.JPEG
Status:   runs - trains, saves and resumes on small generated data in
          ImageNet's layout; not yet trained on ImageNet here.

Differences from the authors' recipe, because MMPretrain expresses something
differently or on purpose:

* Empty tokens. The authors let labels that an image does not have become
  tokens that attend and are attended to; here they are masked out, so that an
  image's output does not depend on its batch. Theirs:
  --cfg-options model.backbone.mask_empty=False
* Warm-up. The authors' learning rate rises from 0; MMEngine's from 1e-4 of
  its peak, which it reaches one iteration earlier.
* Momentum encoder. Its running statistics of BN are copied from the encoder,
  the authors' are its own; training uses neither. The momentum follows half a
  cosine over the iterations in both.
* Grey views are cut to integers where Pillow rounds: at most 1 of 255.
"""

_base_ = [
    '../_base_/models/mocov3_cast-s.py',
    '../_base_/datasets/imagenet_mocov3.py',
    '../_base_/schedules/mocov3_adamw.py',
    '../_base_/default_runtime.py',
]

# SEEDS superpixels of each view, made by the loader's workers.
superpixels = dict(
    type='mmhierseg.GenerateSuperpixels',
    superpixels=dict(
        type='SEEDS',
        num_segments=196,
        histogram_bins=15,
        num_iterations=20))
view_pipeline1 = [*_base_.view_pipeline1, superpixels]
view_pipeline2 = [*_base_.view_pipeline2, superpixels]
train_pipeline = [
    _base_.train_pipeline[0],
    dict(
        type='MultiView',
        num_views=[1, 1],
        transforms=[view_pipeline1, view_pipeline2]),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
test_pipeline = [
    *_base_.test_pipeline[:-1], superpixels, _base_.test_pipeline[-1]
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
