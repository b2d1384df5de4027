r"""CAST-S, trained on ImageNet-1K with labels, fine-tuned on ADE20K.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `supervised`, row
          CAST-S, column ADE20K.
Command:  bash tools/dist_train.sh \
          configs/cast/cast-s_segmenter_ade20k-512x512.py 4
          (with another total batch than 4 x 2, add --auto-scale-lr)
Hardware: 4 GPUs, 2 images each.
Data:     data/ade/ADEChallengeData2016, as MMSegmentation prepares it: 20210
          images.
Weights:  those of `cast-s_deit_in1k.py`. Others, the authors' converted by
          tools/model_converters/cast2mmhierseg.py among them:
          --cfg-options model.backbone.init_cfg.checkpoint=PATH
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in ADE20K's layout; not yet trained on ADE20K here.

64 epochs by 8 images: 20210 * 64 / 8 = 161680 iterations.

Differences from the authors' recipe, and choices that the paper leaves open:

* Empty tokens are masked out in the backbone, as in `cast-s_deit_in1k.py`.
  For weights of the authors, add
  --cfg-options model.backbone.mask_empty=False
* A classifier's checkpoint has no weights for the fusion of the stages and
  for the last pooling's class token; they are initialised randomly.
* Superpixels are those of the whole image in testing, too; a window takes its
  part of the map along.
* Cross entropy is computed from the classes in each segment, which gives the
  same number as that of all pixels.
* Augmentation is MMSegmentation's for ADE20K.
"""

_base_ = [
    '../_base_/models/segmenter_cast-s.py',
    '../_base_/datasets/ade20k_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/segmenter_sgd.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_deit_in1k/epoch_300.pth',
            prefix='backbone.')))
train_dataloader = dict(batch_size=2)
default_hooks = dict(checkpoint=dict(interval=16168))
