r"""Objects and parts of PartImageNet: masks of SAM-H, named by CLIP.

Paper:    "Learning Hierarchical Image Segmentation For Recognition and By
          Recognition", ICLR 2024 (arXiv 2210.00314): the code that made
          table `parts` runs this model; the row SAM-B names the base one.
Command:  PYTHONPATH=. python tools/test.py \
          projects/part_labelling/configs/sam-h_clip_part-imagenet.py \
          work_dirs/sam-vit-huge/model.safetensors
Hardware: one GPU or CPU.
Data:     data/part_imagenet, release OOD: 2957 images of val.json.
Weights:  SAM's, the repository facebook/sam-vit-huge of the Hugging Face hub
          in work_dirs/sam-vit-huge; CLIP's, which open_clip downloads.
Status:   runs - tests on small generated data in PartImageNet's layout, with
          random weights; not yet run on PartImageNet here.

As `sam-b_clip_part-imagenet.py`, with the largest model.
"""

_base_ = ['sam-b_clip_part-imagenet.py']

model = dict(segments=dict(pretrained='work_dirs/sam-vit-huge'))
