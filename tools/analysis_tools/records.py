"""Records of tests, for the tools in this folder."""

from mmhierseg.cli.records import (
    FORMAT,
    describe,
    git_commit,
    in_words,
    start_record,
)

__all__ = ['FORMAT', 'describe', 'git_commit', 'in_words', 'start_record']
