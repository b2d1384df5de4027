"""Pre-training of a small CAST on a folder of pictures without labels.

Command:  python tools/train.py docs/examples/own_photos.py
Data:     data/own/photos, pictures of any size, also in subfolders.
Status:   builds, not trained; see docs/own_pictures.md. Change the
          lines marked CHANGE.
"""

_base_ = ['../../configs/cast/cast-t_imagenette.py']

train_dataloader = dict(
    batch_size=128,  # CHANGE: at most the number of pictures
    dataset=dict(
        data_root='data/own/photos',  # CHANGE
        data_prefix=''))
