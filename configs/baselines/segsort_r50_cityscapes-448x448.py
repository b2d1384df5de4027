r"""SegSort with ResNet-50 on Cityscapes' images: HSG's loss of one level.

Paper:    "Unsupervised Hierarchical Semantic Segmentation with Multiview
          Cosegmentation and Clustering Transformers", CVPR 2022 (arXiv
          2204.11432): table `hsg`, row SegSort, column Cityscapes. The loss is
          that of SegSort (Hwang et al., ICCV 2019, arXiv 1910.06962).
Command:  bash tools/dist_train.sh \
              configs/baselines/segsort_r50_cityscapes-448x448.py 8
          bash tools/dist_test.sh \
              configs/baselines/segsort_r50_cityscapes-448x448.py \
              work_dirs/segsort_r50_cityscapes-448x448/iter_38000.pth 8
Hardware: 8 GPUs, 4 images of two views each.
Data:     as in `../hsg/hsg_r50_cityscapes-448x448.py`.
Status:   runs - trains, validates and tests on small generated data in
          Cityscapes' layout; not yet trained on Cityscapes here.

The data, budget, segments and evaluation are those of HSG; of its losses only
the contrast of pixels with segments by over-segmentation region remains.
SegSort has no views: the two views of an image count as separate images here;
`head.cosegment=True` makes them share their regions.
"""

_base_ = ['../hsg/hsg_r50_cityscapes-448x448.py']

model = dict(
    head=dict(
        fine_weight=0.,
        coarse_weight=0.,
        grouping_weight=0.,
        centroid_weight=0.,
        cosegment=False))
