r"""Retrieval on Pascal VOC 2012 by DINOv3's ViT-S/16: no tuning.

Paper:    "DINOv3", 2025 (arXiv 2508.10104); table `modern`, row DINOv3-S, of
          this project.
Command:  python tools/model_converters/dino2mmhierseg.py \
              dinov3_vits16_pretrain_lvd1689m-*.pth dinov3_vits16.pth
          bash tools/dist_test.sh \
              configs/baselines/dinov3-s_retrieval_voc12-512.py \
              dinov3_vits16.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  those of DINOv3's authors, converted.
Status:   runs - fills the bank and tests on small generated data in
          VOC's layout, with random weights; not yet run on VOC here.

Segments are clusters of patches, as in `vit-s_retrieval_voc12-512.py`. Images
are resized so that all patches are whole, by up to half a patch. For another
size: --cfg-options model.embedder.backbone.arch=base.
Needs timm: pip install mmhierseg[timm].
"""

_base_ = [
    '../_base_/models/retrieval_dinov3-s.py',
    '../_base_/datasets/pascal_voc12_retrieval.py',
    '../_base_/default_runtime_seg.py',
]
