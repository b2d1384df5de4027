"""The ViT of patches, pre-trained for segmentation.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models vit
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.

Nothing is different from ../../../learning/configs/vit.py.
"""

_base_ = ['../../../learning/configs/vit.py']
