"""The tables of the papers, and which results of ours go beside each number.

A cell says what the paper reports and which config measures it here; a column
says by which metrics. Names of metrics are patterns of the shell, tried in
order, since an evaluator may put a prefix before a name.

Numbers are of:

* CAST: Ke, Mo and Yu, "Learning Hierarchical Image Segmentation For
  Recognition and By Recognition", ICLR 2024 (arXiv 2210.00314).
* HSG: Ke, Hwang, Guo, Wang and Yu, "Unsupervised Hierarchical Semantic
  Segmentation with Multiview Cosegmentation and Clustering Transformers",
  CVPR 2022 (arXiv 2204.11432).
"""

from typing import Dict, NamedTuple, Optional, Tuple

__all__ = ['TABLES', 'Cell', 'Column', 'Row', 'Table']

_CAST = '[CAST](https://arxiv.org/abs/2210.00314) (ICLR 2024)'
_HSG = '[HSG](https://arxiv.org/abs/2204.11432) (CVPR 2022)'

Metric = Tuple[str, ...]
"""Patterns of a metric's name; the first that fits anything is taken."""

MIOU: Metric = ('mIoU', '*/mIoU')
ACCURACY: Metric = ('aAcc', '*/aAcc')
TOP1: Metric = ('accuracy/top1', )
BOUNDARY: Metric = ('BoundaryFScore/mFscore', '*/BoundaryFScore/mFscore')


class Cell(NamedTuple):
    """A number of a paper, and what measures it here."""

    paper: str
    """What the paper reports, '' if nothing."""

    config: Optional[str] = None
    """Name of the config, without '.py'; None if there is none."""


class Column(NamedTuple):
    """A quantity, in percent."""

    title: str
    metrics: Tuple[Metric, ...]
    """Written one after the other, ' / ' between them."""


class Row(NamedTuple):
    """A model."""

    texts: Tuple[str, ...]
    """Name and properties, one per heading of the table."""

    cells: Tuple[Cell, ...]
    """One per column of the table."""


class Table(NamedTuple):
    """A table of a paper."""

    title: str
    source: str
    """Citation, Markdown."""

    headings: Tuple[str, ...]
    """Of the texts of each row."""

    columns: Tuple[Column, ...]
    rows: Tuple[Row, ...]


def _voc(model: str, config: str, token: str, pooling: str, before: str,
         after: str) -> Row:
    return Row((model, token, pooling),
               (Cell(before, f'{config}_retrieval_voc12-512'),
                Cell(after, f'{config}_voc12aug-512x512')))


def _linear(model: str, config: str, gflops: str, in100: str,
            in1k: str) -> Row:
    return Row((model, gflops), (Cell(in100, f'{config}_linear_in100'),
                                 Cell(in1k, f'{config}_linear_in1k')))


def _parts(model: str, config: Optional[str], trained_on: str, gflops: str,
           *papers: str) -> Row:
    """One test measures all three columns."""
    return Row((model, trained_on, gflops),
               tuple(Cell(paper, config) for paper in papers))


def _retrieval(method: str, *papers: str, configs: Tuple[str, ...]) -> Row:
    return Row((method, ), tuple(map(Cell, papers, configs)))


def _resnet(method: str, *papers: str) -> Row:
    name = f'{method.lower()}_r50_retrieval'
    return _retrieval(
        method, *papers,
        configs=(f'{name}_voc12-512', f'{name}_cityscapes-1024x2048',
                 f'{name}_kitti-step-376x1242'))


_VOC = Table(
    'Segmentation of VOC 2012 by models trained on COCO without labels, '
    'mIoU / boundary F-score', _CAST, ('model', 'token', 'pooling'),
    (Column('before tuning', (MIOU, BOUNDARY)),
     Column('after tuning', (MIOU, BOUNDARY))),
    (_voc('ViT-S', 'vit-s', 'patch', 'no', '30.9 / 16.1', '65.8 / 40.7'),
     _voc('ablation', 'cast-s-grid', 'patch', 'yes', '34.5 / 19.8',
          '67.2 / 41.9'),
     _voc('ablation', 'vit-s-superpixel', 'superpixel', 'no', '32.2 / 21.2',
          '66.5 / 46.7'),
     _voc('CAST-S', 'cast-s', 'superpixel', 'yes', '38.4 / 27.0',
          '67.6 / 48.1')))

_LINEAR = Table(
    'Linear probing of MoCo v3 pre-training on ImageNet, top-1', _CAST,
    ('model', 'GFLOPs'), (Column('IN-100', (TOP1, )),
                          Column('IN-1K', (TOP1, ))),
    (_linear('ViT-S', 'vit-s', '4.7', '78.1', '67.9'),
     _linear('Swin-T', 'swin-t', '4.5', '78.3', '63.0'),
     _linear('CAST-S', 'cast-s', '3.4', '79.9', '68.1'),
     _linear('CAST-SD', 'cast-sd', '', '', '69.1'),
     _linear('ViT-B', 'vit-b', '', '', '72.5'),
     _linear('CAST-B', 'cast-b', '', '', '72.4')))

_SUPERVISED = Table(
    'Supervised on ImageNet-1K (top-1), then fine-tuned (mIoU)', _CAST,
    ('model', ), (Column('IN-1K', (TOP1, )), Column('ADE20K', (MIOU, )),
                  Column('Pascal Context', (MIOU, ))),
    (Row(('CAST-S', ), (
        Cell('80.4', 'cast-s_deit_in1k'),
        Cell('43.1', 'cast-s_segmenter_ade20k-512x512'),
        Cell('49.1', 'cast-s_segmenter_pascal-context-480x480'))), ))

_PARTS = Table(
    'PartImageNet, unsupervised segments named by CLIP, '
    'mIoU / boundary F-score', _CAST, ('model', 'trained on', 'GFLOPs'),
    tuple(
        Column(level, ((f'{level}/mIoU', f'*/{level}/mIoU'), (
            f'{level}/BoundaryFScore/mFscore',
            f'*/{level}/BoundaryFScore/mFscore')))
        for level in ('part', 'object', 'category')),
    (_parts('SAM-B', None, 'SA-1B, supervised', '488.2', '10.15 / 7.25',
            '18.03 / 20.71', '31.36 / 32.01'),
     _parts('ViT-B', 'vit-b_clip_part-imagenet', 'IN-1K', '', '11.74 / 4.64',
            '25.34 / 10.92', '36.68 / 13.28'),
     _parts('CAST-B', 'cast-b_clip_part-imagenet', 'IN-1K', '',
            '13.20 / 6.52', '29.66 / 22.32', '50.75 / 34.38')))

_HSG_RETRIEVAL = Table(
    'Unsupervised semantic segmentation by retrieval, mIoU / pixel accuracy',
    _HSG, ('method', ),
    tuple(
        Column(place, (MIOU, ACCURACY))
        for place in ('COCO → VOC', 'Cityscapes', 'KITTI-STEP')),
    (_resnet('MoCo', '28.1 / –', '15.3 / 69.5', '13.7 / 60.3'),
     _resnet('DenseCL', '35.1 / –', '12.7 / 64.2', '9.3 / 47.6'),
     _resnet('Revisit', '35.1 / –', '17.1 / 71.7', '17.0 / 65.0'),
     _retrieval(
         'SegSort', '11.7 / 75.1', '24.6 / 81.9', '19.2 / 69.8',
         configs=('segsort_r50_coco-224x224', 'segsort_r50_cityscapes-448x448',
                  'segsort_r50_kitti-step-448x448')),
     _retrieval(
         'HSG', '41.9 / 85.7', '32.5 / 86.0', '21.7 / 73.8',
         configs=('hsg_r50_stage2_coco-448x448', 'hsg_r50_cityscapes-448x448',
                  'hsg_r50_kitti-step-448x448'))))

#: By the names that the command line knows them by.
TABLES: Dict[str, Table] = dict(
    voc=_VOC,
    linear=_LINEAR,
    supervised=_SUPERVISED,
    parts=_PARTS,
    hsg=_HSG_RETRIEVAL)
