"""A disk on which the kernel does not write a file to its end."""

import resource
from contextlib import contextmanager


@contextmanager
def file_size_limit(count):
    """Let files grow to so many bytes; writing more raises an OSError."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit_file_size(count)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limit_file_size(count):
    """The same until the process ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
