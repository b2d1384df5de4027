r"""HSG with ResNet-50 on the frames of KITTI-STEP, in one stage.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row HSG, column KITTI-STEP.
Command:  bash tools/dist_train.sh configs/hsg/hsg_r50_kitti-step-448x448.py 8
          bash tools/dist_test.sh configs/hsg/hsg_r50_kitti-step-448x448.py \
              work_dirs/hsg_r50_kitti-step-448x448/iter_38000.pth 8
          (with another total batch than 8 x 4, add --auto-scale-lr)
Hardware: 8 GPUs, 4 images of two views each.
Data:     data/kitti_step in the layout of the release, and the
          over-segmentation of each training frame in
          data/kitti_step/oversegmentation/train, by
          tools/dataset_converters/generate_oversegmentation.py. No annotation
          is read in training.
Status:   runs - trains, validates, saves, resumes and tests on small generated
          data in KITTI-STEP's layout; not yet trained on KITTI-STEP here.

As `hsg_r50_cityscapes-448x448.py`, the k-means of the evaluation included: the
authors publish nothing for KITTI-STEP.
"""

_base_ = [
    '../_base_/models/hsg_r50.py',
    '../_base_/datasets/kitti_step_hsg_448.py',
    '../_base_/schedules/hsg_sgd.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(
    head=dict(
        # Of all segments of an image, in either view.
        graph_knn=4,
        graph_within_view=False,
        # To the longest of the batch.
        pad_length=None,
        grouping_weight=0.2,
        centroid_weight=0.2),
    num_classes=19,
    kmeans_clusters=(12, 24))
# Shorter side of an image in the demos.
hierarchy_inferencer = dict(img_size=376)
