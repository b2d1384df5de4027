"""Retrieval by colour, on one process and on two."""


import torch
import torch.nn.functional as F
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.models import SegDataPreProcessor
from mmseg.structures import SegDataSample
from torch import nn

from mmhierseg.engine import MemoryBankHook
from mmhierseg.engine.device import CPUDistributedDataParallel
from mmhierseg.models import RetrievalSegmentor
from mmhierseg.models.heads import SegmentEmbeddings
from mmhierseg.structures import SegmentHierarchy

CLASSES = ('a', 'b', 'c', 'd')


class Colours(nn.Module):
    """Blocks of 2 x 2 pixels by their mean colour; pairs of them above."""

    def __init__(self, empty=False):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.empty = empty

    def forward(self, inputs):
        batch, _, height, width = inputs.shape
        rows, columns = torch.arange(height) // 2, torch.arange(width) // 2
        labels = rows[:, None] * (width // 2) + columns
        features = F.avg_pool2d(inputs[:, :3], 2).flatten(2).transpose(1, 2)
        number = features.size(1)
        parents = (torch.arange(number) // 2).expand(batch, -1)
        empty = None
        if self.empty:
            empty = torch.zeros(batch, number, dtype=torch.bool)
            empty[:, :2] = True
        return SegmentEmbeddings(
            F.normalize(features * self.weight, dim=2),
            SegmentHierarchy(labels.expand(batch, -1, -1), [parents]), empty)


def segmentor(embedder=None, **options):
    """A segmentor of four classes and one neighbour."""
    options = {'num_classes': 4, 'num_neighbors': 1, **options}
    return RetrievalSegmentor(embedder or Colours(), **options).eval()


def painted(height=4, width=8, batch=2, seed=0):
    """Images of three noisy colours, data samples, and the classes."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 3, (batch, height // 2, width // 4),
                           generator=generator)
    target = target.repeat_interleave(2, 1).repeat_interleave(4, 2)
    inputs = F.one_hot(target, 3).permute(0, 3, 1, 2).float()
    inputs = inputs + 0.05 * torch.randn(inputs.shape, generator=generator)
    samples = [
        SegDataSample(
            gt_sem_seg=PixelData(data=classes[None]),
            metainfo=dict(ori_shape=(height, width))) for classes in target
    ]
    return inputs, samples, target


class Painted(torch.utils.data.Dataset):
    """Noisy images of blocks of colours, a seed each; some pixels ignored."""

    def __init__(self, seeds, classes=CLASSES):
        self.seeds = list(seeds)
        self.metainfo = dict(classes=classes)

    def __len__(self):
        return len(self.seeds)

    def __getitem__(self, index):
        seed = self.seeds[index]
        inputs, samples, _ = painted(8, 16, batch=1, seed=seed)
        generator = torch.Generator().manual_seed(seed)
        # Noisy enough for the number of neighbours to matter.
        inputs = inputs[0] + torch.randn(3, 8, 16, generator=generator)
        ignored = torch.rand(8, 16, generator=generator) < 0.2
        samples[0].gt_sem_seg.data[0, ignored] = 255
        return dict(inputs=inputs, data_samples=samples[0])


def loader(seeds, batch_size=2, **options):
    """Config of a data loader without its sampler."""
    return dict(batch_size=batch_size, dataset=Painted(seeds, **options),
                num_workers=0)


def retrieval_runner(folder, hook, test_seeds=range(100, 107), model=None,
                     **options):
    """A runner that tests retrieval, with a hook that fills the bank."""
    if model is None:
        model = segmentor(num_neighbors=3, kmeans=dict(num_clusters=4))
    model.data_preprocessor = SegDataPreProcessor()
    sampler = dict(type='DefaultSampler', shuffle=False)
    evaluator = dict(type='mmseg.IoUMetric', iou_metrics=['mIoU'])
    # MMEngine would share the log of another run in the same second.
    name = str(folder).replace('/', '_')
    splits = {}
    for split in ('val', 'test'):
        splits[f'{split}_dataloader'] = dict(
            loader(test_seeds), sampler=sampler)
        splits[f'{split}_evaluator'] = evaluator
        splits[f'{split}_cfg'] = dict()
    return Runner(
        model, str(folder), custom_hooks=[hook], default_scope='mmseg',
        experiment_name=name, **splits, **options)


def retrieve_on_two(rank, folder, bank_sizes):
    """Test with banks of several sizes; save metrics and bank of each."""
    results = {}
    for size in bank_sizes:
        hook = MemoryBankHook(
            loader(range(size)), save_to=str(folder / f'{size}.pth'))
        wrapper = dict(
            type=CPUDistributedDataParallel.__name__, device_ids=None)
        runner = retrieval_runner(
            folder / f'two{size}', hook, launcher='pytorch',
            cfg=dict(model_wrapper_cfg=wrapper))
        metrics = runner.test()
        bank = runner.model.module.bank
        results[size] = (metrics, bank.features, bank.labels)
        del runner
    torch.save(results, folder / f'{rank}.pth')
