r"""HSG with ResNet-50 on COCO's images, first of two stages: the embedding.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432).
Command:  bash tools/dist_train.sh \
              configs/hsg/hsg_r50_stage1_coco-224x224.py 8
          bash tools/dist_test.sh configs/hsg/hsg_r50_stage1_coco-224x224.py \
              work_dirs/hsg_r50_stage1_coco-224x224/iter_350000.pth 8
          (with another total batch than 8 x 16, add --auto-scale-lr)
Hardware: 8 GPUs, 16 images of two views each.
Data:     data/coco/train2017, no annotation is read, and the over-segmentation
          of each image in data/coco/oversegmentation/train2017, by
          tools/dataset_converters/generate_oversegmentation.py or the
          authors'. Evaluation: data/VOCdevkit/VOC2012 with
          SegmentationClassAug, as MMSegmentation prepares it.
Status:   runs - trains, validates, saves, resumes and tests on small generated
          data in COCO's and VOC's layouts; not yet trained on COCO here.

The only loss is that pixels belong to the region of the over-segmentation
that they lie in, in either view, and to no other: a segment is a region in a
view, without k-means. From scratch. There are no groups of segments yet, and
evaluation has one level, the segments by one iteration of k-means.

Differences from the authors' code:
* a pixel's own segment is left out of a contrast, not subtracted afterwards,
  which in float32 changes their loss by up to 2e-4;
* mIoU leaves out classes that neither occur nor are predicted, which they
  count as 0: none on the whole of VOC;
* over-segmentation by colour gradients, unless it is made with --edge-model
  or theirs: not measured.
"""

_base_ = [
    '../_base_/models/hsg_r50_stage1.py',
    '../_base_/datasets/coco_hsg_224.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(num_classes=21)
default_hooks = dict(checkpoint=dict(interval=10000))

max_iters = 350000
param_scheduler = [
    _base_.param_scheduler[0],
    # 32, 56 and 75 %.
    dict(_base_.param_scheduler[1], milestones=[112000, 196000, 262500]),
]
train_cfg = dict(max_iters=max_iters, val_interval=50000)
auto_scale_lr = dict(base_batch_size=128)
