r"""CAST-S, trained on ImageNet-1K with labels, fine-tuned on Cityscapes.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314); Segmenter's recipe.
Command:  bash tools/dist_train.sh \
          configs/cast/cast-s_segmenter_cityscapes-768x768.py 4
          (with another total batch than 4 x 2, add --auto-scale-lr)
Hardware: 4 GPUs, 2 images each.
Data:     data/cityscapes, as MMSegmentation prepares it: 2975 images.
Weights:  as in `cast-s_segmenter_ade20k-512x512.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in Cityscapes' layout; not yet trained on Cityscapes
          here.

216 epochs by 8 images: 2975 * 216 / 8 = 80325 iterations.

As `cast-s_segmenter_ade20k-512x512.py` (see there for the differences from the
authors' recipe), with superpixels of the image itself, not of its negative:
nothing is published for this dataset. A crop has 2304 superpixels; the
clusters are the papers' 320 for 1024 in proportion.
"""

_base_ = [
    '../_base_/models/segmenter_cast-s.py',
    '../_base_/datasets/cityscapes_768x768_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/segmenter_sgd.py',
]

model = dict(
    data_preprocessor=dict(size=(768, 768)),
    backbone=dict(
        num_clusters=(720, 360, 180, 90),
        superpixels=_base_.superpixels['superpixels'],
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_deit_in1k/epoch_300.pth',
            prefix='backbone.')),
    decode_head=dict(num_classes=19),
    test_cfg=dict(crop_size=(768, 768), stride=(736, 736)))
hierarchy_inferencer = dict(img_size=768)
train_dataloader = dict(batch_size=2)
default_hooks = dict(checkpoint=dict(interval=5355))

max_iters = 80325
optim_wrapper = dict(optimizer=dict(lr=1e-2))
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters + 1)]
train_cfg = dict(max_iters=max_iters, val_interval=5355)
