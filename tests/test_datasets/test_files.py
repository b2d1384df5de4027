import pytest

from mmhierseg.datasets.files import check_pairs


def check(chosen, images, maps, **options):
    check_pairs(chosen, images, maps, 'images', 'maps', **options)


def test_what_belongs_together():
    check(['a', 'b'], ['b', 'a'], ['a', 'b'])
    # A list leaves some out.
    check(['a'], ['a', 'b'], ['a', 'b'])
    check(['a'], ['a'], ['a', 'b'], check_others=False)


@pytest.mark.parametrize('chosen, images, maps, error, message', [
    ([], ['a'], ['a'], ValueError, "there is no image in 'images'"),
    (['c'], ['a'], ['a'], FileNotFoundError, 'c of the list of images'),
    (['a', 'b'], ['a', 'b'], [], FileNotFoundError,
     '2 of 2 images have no label map: a, b'),
    (['a'], ['a'], ['a', 'c', 'b'], FileNotFoundError,
     '2 of 3 label maps have no image: b, c'),
])
def test_what_does_not(chosen, images, maps, error, message):
    with pytest.raises(error, match=message):
        check(chosen, images, maps)
