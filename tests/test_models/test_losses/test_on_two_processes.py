import pytest
import torch
from helpers.distributed import run_on_two_processes
from helpers.hsg_losses import losses_and_gradients, losses_on_two, tiny_hsg
from helpers.hsg_segments import views_with_regions


def halves(ignored_view=None, all_ignored=False):
    """What two processes have: two images, three views each of different size.

    Numbers of images and regions are the same on both: they mean others.
    """
    inputs, regions = views_with_regions(views=8)
    # The processes differ in valid pixels, and in segments.
    regions[:2, :3] = -1
    regions[4:, 0] = 7
    if ignored_view is not None:
        regions[ignored_view] = -1
    if all_ignored:
        regions[4:] = -1
    images = torch.tensor([9, 4, 4, 9])
    return [(inputs[:4], regions[:4], images),
            (inputs[4:], regions[4:], images)]


def whole(batch):
    """What one process has instead: images of the second get new numbers."""
    (inputs, regions, images), (more, others, _) = batch
    return (torch.cat([inputs, more]), torch.cat([regions, others]),
            torch.cat([images, images + 100]))


@pytest.mark.distributed
def test_two_processes_are_as_one_with_twice_the_batch(tmp_path):
    batches = [halves(), halves(ignored_view=1), halves(all_ignored=True)]
    run_on_two_processes(losses_on_two, batches, tmp_path)
    first, second = (torch.load(tmp_path / rank) for rank in '01')
    for batch, mine, other in zip(batches, first, second):
        losses, gradients = losses_and_gradients(
            tiny_hsg(batch[0][0].size(1)), whole(batch))
        assert losses.isfinite().all() and (losses > 0).all()
        torch.testing.assert_close((mine[0] + other[0]) / 2, losses)
        # Taken for the mean by the wrapper, and the same on both.
        for name, gradient in gradients.items():
            assert gradient.abs().max() > 1e-4
            for got in (mine, other):
                torch.testing.assert_close(
                    got[1][name], gradient, atol=1e-10, rtol=1e-8)
