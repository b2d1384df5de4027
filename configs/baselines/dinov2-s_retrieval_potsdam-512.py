r"""Retrieval on Potsdam by DINOv2's ViT-S/14: no tuning.

Paper:    "DINOv2: Learning Robust Visual Features without Supervision", 2023
          (arXiv 2304.07193); table `modern`, row DINOv2-S, of this project.
Command:  python tools/model_converters/dino2mmhierseg.py \
              dinov2_vits14_pretrain.pth dinov2_vits14.pth
          bash tools/dist_test.sh \
              configs/baselines/dinov2-s_retrieval_potsdam-512.py \
              dinov2_vits14.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/potsdam, as MMSegmentation prepares it, in tiles of 512 x 512;
          its 6 classes.
Weights:  those of DINOv2's authors, converted.
Status:   runs - fills the bank and tests on small generated data in
          Potsdam's layout, with random weights; not yet run on Potsdam here.

As `dinov2-s_retrieval_voc12-512.py`, on other data.
"""

_base_ = [
    '../_base_/models/retrieval_dinov2-s.py',
    '../_base_/datasets/potsdam_retrieval.py',
    '../_base_/default_runtime_seg.py',
]

model = dict(num_classes=6)
val_evaluator = [
    dict(type='IoUMetric', iou_metrics=['mIoU']),
    # Of clusters; level 0 are the cells. Every class can be covered.
    dict(type='mmhierseg.NFCovering', levels=[1], background=None),
]
test_evaluator = val_evaluator
