r"""ViT-S on superpixels, without pooling, fine-tuned on Pascal VOC 2012.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row ablation
          (superpixel tokens, no pooling), column after tuning.
Command:  bash tools/dist_train.sh \
              configs/baselines/vit-s-superpixel_voc12aug-512x512.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     as `../cast/cast-s_voc12aug-512x512.py`.
Weights:  those of `vit-s-superpixel_coco.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in VOC's layout; not yet trained on VOC here.

`../cast/cast-s_voc12aug-512x512.py` with the 11 blocks in one stage.
"""

_base_ = ['../cast/cast-s_voc12aug-512x512.py']

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, embed_dims=384, depths=(11, ), num_heads=12),
        num_clusters=(),
        init_cfg=dict(
            checkpoint='work_dirs/vit-s-superpixel_coco/epoch_400.pth')))
