"""Retrieval on Pascal VOC 2012 by ViT-S on superpixels: no tuning.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row ablation
          (superpixel tokens, no pooling), column before tuning.
Command:  bash tools/dist_test.sh \
              configs/baselines/vit-s-superpixel_retrieval_voc12-512.py \
              work_dirs/vit-s-superpixel_coco/kept_epoch_150.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     as `../cast/cast-s_retrieval_voc12-512.py`.
Weights:  epoch 150 of `vit-s-superpixel_coco.py`, as it is.
Status:   runs - fills the bank and tests on small generated data in VOC's
          layout; not yet run on VOC here.

`../cast/cast-s_retrieval_voc12-512.py` with the 11 blocks in one stage.
Without pooling there is no coarse level: superpixels are grouped by k-means
of their embeddings, into 40 clusters. (The paper does not say how.)
"""

_base_ = ['../cast/cast-s_retrieval_voc12-512.py']

model = dict(
    embedder=dict(
        backbone=dict(
            arch=dict(
                _delete_=True, embed_dims=384, depths=(11, ), num_heads=12),
            num_clusters=())),
    kmeans=dict(num_clusters=40))
