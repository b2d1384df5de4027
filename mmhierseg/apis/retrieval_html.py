"""The page of what a :class:`ContextRetriever` finds for an image."""

from mmhierseg.visualization import LevelImage, retrieval_page

from .context_retriever import ContextRetriever
from .images import ImageInput, image_names


def retrieval_html(retriever: ContextRetriever,
                   image: ImageInput,
                   num_neighbors: int = 5,
                   keep_own: bool = False,
                   point: tuple[int, int] | None = None,
                   show_progress: bool = True) -> str:
    """Page on which a click asks for the nearest segments, at every level.

    For each level but its own, the retriever fills a bank from its bank's
    images, which must still exist; it keeps the one it has.

    Args:
        retriever (ContextRetriever): With a bank.
        image (str | Path | np.ndarray): The query, as for the retriever.
        num_neighbors (int): How many to find.
        keep_own (bool): Whether segments of the file itself count, too.
        point (tuple[int, int], optional): (x, y) of a pixel to start from.
        show_progress (bool): Whether to show progress bars.

    Returns:
        str: HTML without references to other files.

    Raises:
        FileNotFoundError, TypeError, RuntimeError, ValueError: As the
            retriever does.
    """
    nearest = [retriever.neighbors(image, num_neighbors, keep_own)]
    pixels, maps = retriever.label_maps(image)
    model, bank = retriever.model, retriever.bank
    before, own = model.level, model.level % len(maps)
    paths = bank.meta['images']
    try:
        nearest = [
            nearest[0] if level == own else _at_level(
                retriever, level, paths, show_progress).neighbors(
                    image, num_neighbors, keep_own)
            for level in range(len(maps))
        ]
    finally:
        model.level, retriever.bank = before, bank
    used = sorted({path for found in nearest for near in found.values()
                   for path, _, _ in near})
    number = {path: i for i, path in enumerate(used)}
    others = (LevelImage(*retriever.label_maps(path), name)
              for path, name in zip(used, image_names(used)))
    return retrieval_page(
        LevelImage(pixels, maps, image_names([image])[0]), others,
        [{segment: [(number[path], *rest) for path, *rest in near]
          for segment, near in found.items()} for found in nearest],
        own, point)


def _at_level(retriever: ContextRetriever, level: int, paths: list[str],
              show_progress: bool) -> ContextRetriever:
    retriever.model.level = level
    retriever.fill(paths, show_progress)
    return retriever
