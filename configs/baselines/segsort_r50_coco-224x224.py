r"""SegSort with ResNet-50 on COCO's images: HSG's loss of one level.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row SegSort, column COCO → VOC. The loss is
          that of SegSort (Hwang et al., ICCV 2019, arXiv 1910.06962).
Command:  bash tools/dist_train.sh \
              configs/baselines/segsort_r50_coco-224x224.py 8
          bash tools/dist_test.sh \
              configs/baselines/segsort_r50_coco-224x224.py \
              work_dirs/segsort_r50_coco-224x224/iter_350000.pth 8
Hardware: 8 GPUs, 16 images of two views each.
Data:     as in `../hsg/hsg_r50_stage1_coco-224x224.py`.
Status:   runs - trains, validates and tests on small generated data in COCO's
          and VOC's layouts; not yet trained on COCO here.

The data, budget and evaluation of HSG's first stage. Segments are clusters of
k-means, cut by the over-segmentation, as in SegSort, where that stage takes
its regions whole. SegSort has no views: the two views of an image count as
separate images here; `head.cosegment=True` makes them share their regions.
"""

_base_ = ['../hsg/hsg_r50_stage1_coco-224x224.py']

model = dict(
    head=dict(kmeans_clusters=(4, 4), kmeans_iterations=15, cosegment=False),
    kmeans_iterations=15)
