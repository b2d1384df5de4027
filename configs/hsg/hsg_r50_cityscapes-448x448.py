r"""HSG with ResNet-50 on the images of Cityscapes, in one stage.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row HSG, column Cityscapes.
Command:  bash tools/dist_train.sh configs/hsg/hsg_r50_cityscapes-448x448.py 8
          bash tools/dist_test.sh configs/hsg/hsg_r50_cityscapes-448x448.py \
              work_dirs/hsg_r50_cityscapes-448x448/iter_38000.pth 8
          (with another total batch than 8 x 4, add --auto-scale-lr)
Hardware: 8 GPUs, 4 images of two views each.
Data:     data/cityscapes, as MMSegmentation prepares it, and the
          over-segmentation of each training image in
          data/cityscapes/oversegmentation/train, by
          tools/dataset_converters/generate_oversegmentation.py or the
          authors'. No annotation is read in training.
Status:   runs - trains, validates, saves, resumes and tests on small generated
          data in Cityscapes' layout; not yet trained on Cityscapes here.

From scratch. Images are evaluated whole, 1024 x 2048: k-means and groups of
all of their pixels take 4 GB of memory beside the network.

Differences from the authors' code:
* a pixel's own segment is left out of a contrast, not subtracted afterwards,
  which in float32 changes their loss by up to 2e-4;
* mIoU leaves out classes that neither occur nor are predicted, which they
  count as 0: none on the whole of Cityscapes;
* over-segmentation by colour gradients, unless it is theirs, from pointwise
  mutual information at a threshold of 0.05: not measured.
"""

_base_ = [
    '../_base_/models/hsg_r50.py',
    '../_base_/datasets/cityscapes_hsg_448.py',
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
hierarchy_inferencer = dict(img_size=512)
