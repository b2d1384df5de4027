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

64 epochs by 8 images: 20210 * 64 / 8 = 161680 iterations. A classifier's
checkpoint has no weights for the fusion of the stages and for the last
pooling's class token; they are initialised randomly.

Quirk: superpixels are those of the negative, v -> (256 - v) mod 256, in
training and in testing; the published number comes from it. Without: False for
train_dataloader.dataset.pipeline.7.superpixels.inverted and
model.backbone.superpixels.inverted

Differences from the authors' recipe:

* Empty tokens are masked out in the backbone, as in `cast-s_deit_in1k.py`.
  For weights of the authors, add
  --cfg-options model.backbone.mask_empty=False
* The loss is the mean over the pixels of each GPU, then over GPUs; theirs,
  over those of the batch. With one GPU, it is the same.
* Crops are padded in 8 bits: 0 after normalisation becomes 0.009 at most.
  Test images that are smaller than a window are enlarged after normalisation,
  and their levels rounded for the superpixels, not cut.
* Validation during training has the stride of the final evaluation, 480;
  theirs 512. It has no influence on the last checkpoint.
* Batches run across the ends of epochs.
"""

_base_ = [
    '../_base_/models/segmenter_cast-s.py',
    '../_base_/datasets/ade20k_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/segmenter_sgd.py',
]

model = dict(
    backbone=dict(
        superpixels=_base_.superpixels['superpixels'],
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_deit_in1k/epoch_300.pth',
            prefix='backbone.')))
train_dataloader = dict(batch_size=2)
default_hooks = dict(checkpoint=dict(interval=16168))
