"""Pre-training of a small CAST on a folder of pictures without labels.

Command:  python tools/train.py docs/examples/own_photos.py
Data:     data/own/photos, pictures of any size, also in subfolders.
Status:   runs on a few dozen pictures; see docs/own_pictures.md. Change the
          lines marked CHANGE.
"""

_base_ = ['../../configs/cast/cast-t_imagenette.py']

photos = 'data/own/photos'  # CHANGE
batch_size = 128  # CHANGE: at most the number of pictures
max_epochs, warmup_epochs = 14, 2  # CHANGE: fewer pictures, more epochs

train_dataloader = dict(
    batch_size=batch_size, dataset=dict(data_root=photos, data_prefix=''))
param_scheduler = [
    dict(_base_.param_scheduler[0], end=warmup_epochs),
    dict(
        _base_.param_scheduler[1],
        T_max=max_epochs - warmup_epochs,
        begin=warmup_epochs,
        end=max_epochs),
]
train_cfg = dict(max_epochs=max_epochs)
