r"""Retrieval on Pascal VOC 2012 by DINOv2's ViT-S/14: no tuning.

Paper:    "DINOv2: Learning Robust Visual Features without Supervision", 2023
          (arXiv 2304.07193); table `modern`, row DINOv2-S, of this project.
Command:  python tools/model_converters/dino2mmhierseg.py \
              dinov2_vits14_pretrain.pth dinov2_vits14.pth
          bash tools/dist_test.sh \
              configs/baselines/dinov2-s_retrieval_voc12-512.py \
              dinov2_vits14.pth 8
Hardware: any number of GPUs; the result is the same.
Data:     data/VOCdevkit/VOC2012 with SegmentationClassAug, as MMSegmentation
          prepares it: 10582 images in the memory bank, 1449 tested.
Weights:  those of DINOv2's authors, converted.
Status:   runs - fills the bank and tests on small generated data in
          VOC's layout, with random weights; not yet run on VOC here.

Segments are clusters of patches, as in `vit-s_retrieval_voc12-512.py`. Images
are resized so that all patches are whole, by up to half a patch. For another
size: --cfg-options model.embedder.backbone.arch=base.
Positions are interpolated as MMPretrain does; the authors' code adds 0.1 to
the sides of the grid. MMPretrain's own conversions (vit-small-p14_dinov2) load
as they are.
"""

_base_ = [
    '../_base_/models/retrieval_dinov2-s.py',
    '../_base_/datasets/pascal_voc12_retrieval.py',
    '../_base_/default_runtime_seg.py',
]
