"""As `finetune_camvid.py`, with the ViT."""

_base_ = ['finetune_camvid.py', 'vit.py']

segmentor = _base_.vit_segmentor
model = dict(
    segmentor, decode_head=dict(segmentor.decode_head, num_classes=11))
