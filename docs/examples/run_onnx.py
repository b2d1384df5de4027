"""Run an exported hierarchy with NumPy and onnxruntime.

Superpixels are made outside of the graph, by the method that the model was
trained with, or taken from any label map::

    python run_onnx.py FILE.onnx IMAGE --out levels.npz [--labels MAP.png]
"""

import argparse
import json

import numpy as np
from PIL import Image


def segment(image: np.ndarray, options: dict) -> np.ndarray:
    """Superpixels (H, W) of an image (H, W, 3); here, those in training."""
    import torch

    from mmhierseg.registry import SUPERPIXELS
    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy())[None]
    return SUPERPIXELS.build(dict(options))(pixels)[0].numpy()


def label_maps(results: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Segments (H, W) of each level, fine to coarse; -1 = none."""
    maps = [results['labels'][0]]
    for level in range(len(results)):
        if f'parents_{level}' not in results:
            break
        parents = results[f'parents_{level}'][0]
        maps.append(np.where(maps[-1] < 0, -1, parents[maps[-1]]))
    return maps


def main() -> None:
    """Segment an image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file')
    parser.add_argument('image')
    parser.add_argument('--labels', help='label map, a grey PNG')
    parser.add_argument('--out', default='levels.npz')
    args = parser.parse_args()

    import onnxruntime  # here, so that --help needs no packages
    session = onnxruntime.InferenceSession(
        args.file, providers=['CPUExecutionProvider'])
    meta = json.loads(
        session.get_modelmeta().custom_metadata_map['settings.json'])
    height, width = meta['shape']
    image = Image.open(args.image).convert('RGB')
    image = np.array(
        image.resize((width, height), Image.Resampling.BICUBIC))
    if args.labels:
        labels = Image.open(args.labels)
        labels = np.array(
            labels.resize((width, height), Image.Resampling.NEAREST))
    else:
        labels = segment(image, meta['superpixels'])
    number = len(np.unique(labels))
    if number > meta['num_tokens']:
        raise SystemExit(f'{number} segments, but the graph takes '
                         f'{meta["num_tokens"]}: make fewer')

    names = [output.name for output in session.get_outputs()]
    results = session.run(names, dict(
        image=image.transpose(2, 0, 1)[None].astype(np.float32),
        segments=labels[None].astype(np.int64)))
    maps = label_maps(dict(zip(names, results)))
    np.savez(args.out, *maps)
    print('segments of the levels:', [len(np.unique(map_)) for map_ in maps])


if __name__ == '__main__':
    main()
