"""Loading images with errors that say which file it was."""


import mmcv
import mmengine.fileio as fileio
import numpy as np
from mmcv.transforms import LoadImageFromFile

from mmhierseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """MMCV's ``LoadImageFromFile`` with clear errors.

    A missing, unreadable or truncated file is an error that names the file
    and what to do, also when it comes out of a data loader's worker. (MMCV
    reports an empty file as a failed assertion inside OpenCV, and versions of
    OpenCV before 5 fill up what is missing of a truncated JPEG with grey.)

    Keys and arguments are those of :class:`mmcv.transforms.LoadImageFromFile`;
    with ``ignore_empty=True`` such a file is left out, as it is there.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``.

        Args:
            results (dict): Result dict of the pipeline.

        Returns:
            dict: With ``img``, ``img_shape`` and ``ori_shape``; None if the
            file cannot be read and ``ignore_empty`` is set.

        Raises:
            FileNotFoundError: If the file is missing.
            ValueError: If it cannot be read as an image, or is truncated.
        """
        path = results['img_path']
        try:
            image = self._load(path)
        except Exception:
            # Whatever a storage backend raises, as in the base class.
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = image.shape[:2]
        results['ori_shape'] = image.shape[:2]
        return results

    def _load(self, path: str) -> np.ndarray:
        content = read_file(path, 'image', self.backend_args,
                            self.file_client_args)
        if is_truncated_jpeg(content):
            raise ValueError(unreadable(path, 'image', 'it is truncated'))
        try:
            image = mmcv.imfrombytes(
                content, flag=self.color_type, backend=self.imdecode_backend)
        except Exception as error:
            raise ValueError(unreadable(path, 'image', error)) from error
        if image is None:
            raise ValueError(
                unreadable(path, 'image',
                           f'{self.imdecode_backend} cannot decode it'))
        return image


def read_file(path: str,
              what: str,
              backend_args: dict | None = None,
              file_client_args: dict | None = None) -> bytes:
    """Read a file through MMEngine's file backends.

    Args:
        path (str): Path or URL.
        what (str): What the file holds, for the message.
        backend_args (dict, optional): Arguments of the backend.
        file_client_args (dict, optional): Arguments of the file client, the
            older form of ``backend_args``.

    Returns:
        bytes: The content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty or is no file.
    """
    try:
        if file_client_args is not None:
            content = fileio.FileClient.infer_client(file_client_args,
                                                     path).get(path)
        else:
            content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{what} '{path}' does not exist: check `data_root`, "
            '`data_prefix` and the list of files in the config') from error
    except OSError as error:
        raise ValueError(unreadable(path, what, error)) from error
    if not content:
        raise ValueError(unreadable(path, what, 'it is empty'))
    return content


def unreadable(path: str, what: str, reason: object) -> str:
    """Message for a file that cannot be read.

    Args:
        path (str): Path or URL.
        what (str): What the file should hold.
        reason (object): Why it cannot be read.

    Returns:
        str: The message, with file, reason and remedy.
    """
    return (f"{what} '{path}' cannot be read ({reason}): replace the file, "
            'or remove it from the data set')


def is_truncated_jpeg(content: bytes) -> bool:
    r"""Whether a JPEG lacks its end.

    Args:
        content (bytes): A file, of any kind.

    Returns:
        bool: True for a JPEG without an end-of-image marker behind the start
        of its scan, or without a scan. Neither marker can occur inside the
        coded image, and one that belongs to a thumbnail lies before.

    Example:
        >>> is_truncated_jpeg(b'\xff\xd8..\xff\xda..\xff\xd9')
        False
        >>> is_truncated_jpeg(b'\xff\xd8..\xff\xda..')
        True
    """
    if not content.startswith(b'\xff\xd8'):
        return False
    scan = _start_of_scan(content)
    return scan < 0 or content.find(b'\xff\xd9', scan) < 0


def _start_of_scan(content: bytes) -> int:
    """Position of the first scan of a JPEG, hopping over its headers."""
    position = 2
    while 0 <= position < len(content) - 3:
        if content[position] != 0xff or content[position + 1] == 0xda:
            break
        if content[position + 1] == 0xff:  # Fill bytes may precede a marker.
            position += 1
        else:
            length = content[position + 2:position + 4]
            position += 2 + int.from_bytes(length, 'big')
    return content.find(b'\xff\xda', position)
