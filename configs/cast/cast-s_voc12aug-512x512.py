"""CAST-S, pre-trained on COCO without labels, fine-tuned on Pascal VOC 2012.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row CAST-S,
          column after tuning.
Command:  bash tools/dist_train.sh configs/cast/cast-s_voc12aug-512x512.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images.
Weights:  those of `cast-s_coco.py`. Others, the authors' converted by
          tools/model_converters/cast2mmhierseg.py among them:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
          Of a checkpoint of pre-training, `prefix='backbone.'` is the encoder
          that was trained and 'momentum_encoder.module.0.' its average.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in VOC's layout; not yet trained on VOC here.

30000 iterations of 16 images are 45.4 epochs.

Differences from the authors' recipe, and choices that the paper leaves open:

* Empty tokens are masked out in the backbone, as in `cast-s_coco.py`. For
  weights of the authors, add --cfg-options model.backbone.mask_empty=False
* The classifier (1 x 1 convolution, BN, ReLU, 1 x 1 convolution) works on
  segments instead of on features scattered to pixels, which is the same but
  for its BN: each segment counts once in the statistics, whatever its size.
  The letter of it is MMSegmentation's `FCNHead` with kernel_size=1,
  num_convs=1, concat_input=False, dropout_ratio=0 on the backbone's
  out_type='featmap', out_indices=('fused', ), featmap_stride=2, the
  resolution of the superpixels in training, at the cost of 100 MB an image
  and layer (featmap_stride=1: 400 MB).
* The classifier's width is the backbone's, its dropout none; the warm-up is
  linear from a hundredth.
* Augmentation is MMSegmentation's for VOC.
* Positions of pre-training are resized to the grid of 512 x 512 when they are
  loaded.
"""

_base_ = [
    '../_base_/models/fcn_cast-s.py',
    '../_base_/datasets/pascal_voc12_aug_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/finetune_sgd_30k_voc.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_coco/epoch_400.pth',
            prefix='backbone.')))
train_dataloader = dict(batch_size=4)
default_hooks = dict(checkpoint=dict(interval=3000))
