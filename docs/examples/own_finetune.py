"""Fine-tuning of `own_photos.py` on a folder of classes.

Command:  python tools/train.py docs/examples/own_finetune.py
Data:     as `own_probe.py`, where the lines to change are.
Status:   runs on a few dozen pictures; see docs/own_pictures.md.
"""

_base_ = ['own_probe.py']

max_epochs = 20  # CHANGE: fewer pictures, more epochs

model = dict(backbone=dict(frozen_stages=-1, drop_path_rate=0.1))
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=5e-4, weight_decay=0.05))
param_scheduler = dict(
    type='CosineAnnealingLR',
    T_max=max_epochs,
    by_epoch=True,
    convert_to_iter_based=True)
train_cfg = dict(max_epochs=max_epochs)
