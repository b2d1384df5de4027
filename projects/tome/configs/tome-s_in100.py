"""ToMe on superpixels, pre-trained with MoCo v3 on ImageNet-100.

Paper:    the ablation of graph pooling in "Learning Hierarchical Image
          Segmentation For Recognition and By Recognition", ICLR 2024 (arXiv
          2210.00314); token merging is from "Token Merging: Your ViT But
          Faster", ICLR 2023 (arXiv 2210.09461).
Command:  bash tools/dist_train.sh projects/tome/configs/tome-s_in100.py 8
Hardware: 8 GPUs, 32 images each.
Data:     data/imagenet100/train/<class>/<image>.JPEG, which
          tools/dataset_converters/imagenet_subset.py makes from ImageNet.
Status:   runs - trains on small generated data in ImageNet's layout; not yet
          trained on ImageNet here.

Data, augmentation, superpixels, schedule, projector and loss are those of
`cast-s_in100.py`, and so are the 11 blocks: only the pooling differs.
"""

_base_ = ['mmhierseg::cast/cast-s_in100.py']

custom_imports = dict(imports=['mmhierseg', 'projects.tome.tome'])
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmhierseg.SuperpixelToMe',
        arch='small',
        img_size=224,
        num_merged=16,
        pos_embed='sincos'))
