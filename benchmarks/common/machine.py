"""What a number was measured on: the record that tools/test.py writes, too."""

from mmhierseg.cli.records import describe, git_commit, in_words

__all__ = ['describe', 'git_commit', 'in_words']
