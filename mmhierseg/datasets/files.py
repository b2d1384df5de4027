"""Every image needs its label map, and every label map its image."""

from collections.abc import Collection, Iterable

__all__ = ['check_pairs', 'some']


def check_pairs(chosen: Collection[str],
                images: Iterable[str],
                maps: Iterable[str],
                image_folder: str,
                map_folder: str,
                check_others: bool = True) -> None:
    """Check that images and label maps belong together.

    Names are paths below the two folders, without what they end in.

    Args:
        chosen (Collection[str]): Names that are to be read.
        images (Iterable[str]): Names of the images that are there.
        maps (Iterable[str]): Names of the label maps that are there.
        image_folder (str): Folder of the images, for the messages.
        map_folder (str): Folder of the maps, for the messages.
        check_others (bool): Whether maps without an image are wrong, too.
            Defaults to True.

    Raises:
        ValueError: If nothing is chosen.
        FileNotFoundError: If an image or a map is missing.

    Example:
        >>> check_pairs(['a', 'b'], ['a', 'b'], ['a'], 'images', 'maps')
        Traceback (most recent call last):
        ...
        FileNotFoundError: 1 of 2 images has no label map: b (images in \
'images', maps in 'maps'). Add what is missing, or remove the image
    """
    if not chosen:
        raise ValueError(f"there is no image in '{image_folder}', or the list "
                         'of images is empty')
    images, maps = set(images), set(maps)
    where = f"(images in '{image_folder}', maps in '{map_folder}')"
    lacking = [name for name in chosen if name not in images]
    if lacking:
        raise FileNotFoundError(
            f"{some(lacking)} of the list of images is not in "
            f"'{image_folder}': correct the list, or add the image")
    lacking = [name for name in chosen if name not in maps]
    if lacking:
        raise FileNotFoundError(
            f'{len(lacking)} of {len(chosen)} images '
            f'{"has" if len(lacking) == 1 else "have"} no label map: '
            f'{some(lacking)} {where}. Add what is missing, or remove the '
            'image')
    lonely = sorted(maps - images) if check_others else []
    if lonely:
        raise FileNotFoundError(
            f'{len(lonely)} of {len(maps)} label maps '
            f'{"has" if len(lonely) == 1 else "have"} no image: '
            f'{some(lonely)} {where}. Add what is missing, or remove the map')


def some(names: list[str]) -> str:
    """The first few of a list of names, and how many more there are.

    Example:
        >>> some(['a', 'b', 'c', 'd', 'e', 'f', 'g'])
        'a, b, c, d, e and 2 more'
    """
    more = f' and {len(names) - 5} more' if len(names) > 5 else ''
    return ', '.join(names[:5]) + more
