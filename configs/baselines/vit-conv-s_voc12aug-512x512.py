r"""ViT-S, pre-trained on COCO without labels, fine-tuned on Pascal VOC 2012.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): table `voc`, row ViT-S,
          column after tuning.
Command:  bash tools/dist_train.sh \
              configs/baselines/vit-conv-s_voc12aug-512x512.py 4
          (with another total batch than 4 x 4, add --auto-scale-lr)
Hardware: 4 GPUs, 4 images each.
Data:     as `../cast/cast-s_voc12aug-512x512.py`.
Weights:  those of `vit-conv-s_coco.py`.
Status:   runs - trains, validates, saves, resumes and tests on small
          generated data in VOC's layout; not yet trained on VOC here.

As `vit-s_voc12aug-512x512.py`, with the model of `vit-conv-s_in1k.py`.
"""

_base_ = ['vit-s_voc12aug-512x512.py']

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmhierseg.MoCoV3ConvViT',
        arch='small',
        img_size=512,
        out_type='featmap',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/vit-conv-s_coco/epoch_400.pth',
            prefix='backbone.')))
