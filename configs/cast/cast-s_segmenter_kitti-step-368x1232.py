r"""CAST-S, trained on ImageNet-1K with labels, fine-tuned on KITTI-STEP.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314); Segmenter's recipe for
          Cityscapes.
Command:  bash tools/dist_train.sh \
          configs/cast/cast-s_segmenter_kitti-step-368x1232.py 4
          (with another total batch than 4 x 2, add --auto-scale-lr)
Hardware: 4 GPUs, 2 images each.
Data:     data/kitti_step/{images,panoptic_maps}/{train,val}/<sequence>/
          <frame>.png: 5027 images of 12 sequences.
Weights:  as in `cast-s_segmenter_ade20k-512x512.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in KITTI-STEP's layout; not yet trained on KITTI-STEP
          here.

216 epochs by 8 images, as on Cityscapes: 5027 * 216 / 8 = 135729 iterations.

As `cast-s_segmenter_cityscapes-768x768.py`; see there and in
`cast-s_segmenter_ade20k-512x512.py` for the differences from the authors'
recipe. The crop is nearly the frame, so that frames are tested as a whole. A
crop has 1771 superpixels; the clusters are the papers' 320 for 1024 in
proportion.
"""

_base_ = [
    '../_base_/models/segmenter_cast-s.py',
    '../_base_/datasets/kitti_step_seeds.py',
    '../_base_/default_runtime_seg.py',
    '../_base_/schedules/segmenter_sgd.py',
]

model = dict(
    data_preprocessor=dict(size=(368, 1232)),
    backbone=dict(
        num_clusters=(552, 276, 138, 69),
        superpixels=_base_.superpixels['superpixels'],
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/cast-s_deit_in1k/epoch_300.pth',
            prefix='backbone.')),
    decode_head=dict(num_classes=19),
    test_cfg=dict(_delete_=True, mode='whole'))
hierarchy_inferencer = dict(img_size=368)
train_dataloader = dict(batch_size=2)
default_hooks = dict(checkpoint=dict(interval=15081))

max_iters = 135729
optim_wrapper = dict(optimizer=dict(lr=1e-2))
param_scheduler = [dict(_base_.param_scheduler[0], end=max_iters + 1)]
train_cfg = dict(max_iters=max_iters, val_interval=15081)
