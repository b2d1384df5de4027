"""A small HSG on CamVid's frames, first of two stages: the contrast alone.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432); it has no such data.
Command:  python tools/train.py configs/hsg/hsg_r18_stage1_camvid.py
          python tools/test.py configs/hsg/hsg_r18_stage1_camvid.py \
              work_dirs/hsg_r18_stage1_camvid/iter_486.pth
Hardware: one CPU core, minutes.
Data:     data/camvid in SegNet's layout, and the over-segmentation of each
          training frame in data/camvid/oversegmentation/train, by
          tools/dataset_converters/generate_oversegmentation.py. No annotation
          is read in training.
Status:   trained here, results in benchmarks/README.md.

As `hsg_r50_stage1_coco-224x224.py` with a ResNet-18 of a quarter of the
channels at stride 8, 8 images a batch, about 11 epochs and a shorter warm-up;
the learning rate is the recipe's.
"""

_base_ = [
    '../_base_/models/hsg_r50.py',
    '../_base_/datasets/camvid_hsg_96.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(
    backbone=dict(
        depth=18,
        base_channels=16,
        stem_channels=16,
        strides=(1, 2, 1, 1),
        multi_grid=(1, 2)),
    # As in training.
    test_backbone=None,
    neck=dict(in_channels=128, out_channels=32),
    head=dict(
        in_channels=32,
        embed_dims=32,
        kmeans_clusters=(1, 1),
        kmeans_iterations=1,
        fine_weight=0.,
        coarse_weight=0.,
        grouping_weight=0.,
        centroid_weight=0.,
        position_size=12),
    num_classes=11,
    kmeans_clusters=(6, 8))

max_iters = 486
param_scheduler = [
    dict(_base_.param_scheduler[0], end=11),
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[156, 272, 364]),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
auto_scale_lr = dict(base_batch_size=8)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=54, max_keep_ckpts=1))
randomness = dict(seed=0)
# Shorter side of an image in the demos.
hierarchy_inferencer = dict(img_size=240)
