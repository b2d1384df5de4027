"""CAST, its segments looked up.

Paper:    see ../../../learning/configs/cast.py.
Command:  python benchmarks/finetuning/run.py --models cast
Hardware: 1 CPU core, minutes.
Status:   its results stand in benchmarks/README.md.
"""

_base_ = ['base.py']
