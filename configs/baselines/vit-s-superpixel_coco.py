"""ViT-S on superpixels, without pooling, pre-trained on COCO's images.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): pre-training for table
          `voc`, row ablation (superpixel tokens, no pooling), before and after
          tuning.
Command:  bash tools/dist_train.sh configs/baselines/vit-s-superpixel_coco.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/coco/train2017/<image>.jpg; no annotation is read.
Status:   runs - trains on small generated data in COCO's layout; not yet
          trained on COCO here.

`../cast/cast-s_coco.py` with all of its 11 blocks in one stage: stem,
superpixels, positions and image feature are the same, and nothing is pooled.
(The paper does not say how its ablation takes its image feature.)
"""

_base_ = ['../cast/cast-s_coco.py']

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=384, depths=(11, ), num_heads=12),
        num_clusters=()))
