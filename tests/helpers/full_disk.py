"""A disk on which the kernel does not write a file to its end."""

import resource
from contextlib import contextmanager


@contextmanager
def file_size_limit(count):
    """Limit files to so many bytes; writing more raises an OSError."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
