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

30000 iterations of 16 images are 45.4 epochs. The class token and the
positions are fixed, as in the authors' code.

Differences from the authors' recipe:

* Empty tokens are masked out in the backbone, as in `cast-s_coco.py`. For
  weights of the authors, add --cfg-options model.backbone.mask_empty=False
* The classifier (1 x 1 convolution, BN, ReLU, 1 x 1 convolution) is computed
  once per segment; BN counts the pixels of the map at half resolution, and
  logits are interpolated to the crop, so values are the same up to rounding.
* The warm-up is a factor to the polynomial instead of its upper bound: rates
  of the first 100 iterations are up to 0.3 % lower.
* In training, positions are averaged over the crop's pixels instead of those
  of the map at half resolution: 0.0004 at most for a segment of 16 x 16
  pixels, of encodings between -1 and 1. (For features it makes no difference.)
* The last crop position is drawn, too; the authors' never is.
* Predictions go back to the size of the image by the nearest pixel centres;
  the authors' are shifted by up to one pixel to the right and downwards.
* 512 is always reached; the authors' rounding makes 511 of it for 17 of the
  lengths from 300 to 500 (499 among them, 500 not).

MMSegmentation's pipelines, with BN over segments:
`cast-s_voc12aug-mmseg-512x512.py`.
"""

_base_ = [
    '../_base_/models/fcn_cast-s.py',
    '../_base_/datasets/pascal_voc12_cast_seeds.py',
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
