#!/usr/bin/env python
"""Draw docs/images/architecture.png from the imports of the package.

    python docs/scripts/draw_architecture.py

An arrow leads from a folder to one that it imports. Arrows that follow from
others (A to C, where A imports B and B imports C) are left out. The imports
and the layers, which give the colours, are those that
``tests/test_layering.py`` checks.

The layout is Sugiyama's: every arrow points down by at least one row, long
arrows get places of their own in the rows that they pass, so that none runs
through a box, and rows are sorted for few crossings.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path as Curve
from scipy.optimize import isotonic_regression

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

from test_layering import IMPORTS, LAYERS, folder  # noqa: E402

WIDTH = 10.5
BOX_WIDTH, BOX_HEIGHT, ROW_HEIGHT = 1.78, 0.66, 1.34
BOX_GAP, ARROW_GAP = 0.24, 0.26
COLORS = ['#eef0f3', '#dff1e4', '#e3edf9', '#fbe3c8', '#f4dfe9', '#e9e3f7']
INK, GREY, LINE = '#1f2933', '#5f6b7a', '#8391a1'
#: A few lines of code, which would only be more boxes.
LEFT_OUT = {'_compat', 'version'}
PURPOSES = dict(
    _base='errors, safe files',
    apis='inference',
    checkpoints='read, match, convert',
    cli='train.py, test.py',
    datasets='datasets, transforms',
    engine='hooks, sharding',
    evaluation='metrics, memory bank',
    models='registered modules',
    ops='functions on tensors',
    oversegmentation='contours, regions',
    registry='names in configs',
    structures='hierarchy, tokens',
    superpixels='image to label map',
    visualization='figures')

Graph = dict[str, set[str]]
# A folder, or a place that an arrow passes: (from, to, row).
Node = str | tuple[str, str, int]


def folder_imports() -> Graph:
    """Folders that each folder imports."""
    names = set().union(*LAYERS) - LEFT_OUT
    graph = {name: set() for name in sorted(names)}
    for module, others in IMPORTS.items():
        if folder(module) in graph:
            graph[folder(module)] |= set(map(folder, others))
    return {
        name: (others & names) - {name} for name, others in graph.items()
    }


def reachable(graph: Graph, start: str) -> set[str]:
    """Folders that a folder imports, directly or not."""
    found = set(graph[start])
    return found.union(*(reachable(graph, name) for name in found))


def without_detours(graph: Graph) -> Graph:
    """The transitive reduction of the graph."""
    return {
        name: others.difference(*(reachable(graph, other)
                                  for other in others))
        for name, others in graph.items()
    }


def make_rows(graph: Graph) -> tuple[list[list[Node]], list[list[Node]]]:
    """Rows from the bottom up, and the way of each arrow through them."""

    def height(name: str) -> int:
        return 1 + max(map(height, graph[name]), default=-1)

    rows = [[] for _ in range(1 + max(map(height, graph)))]
    for name in graph:
        rows[height(name)].append(name)
    ways = []
    for name, others in graph.items():
        for other in sorted(others):
            passed = [(name, other, row)
                      for row in range(height(name) - 1, height(other), -1)]
            for node in passed:
                rows[node[2]].append(node)
            ways.append([name, *passed, other])
    return rows, ways


def sort_rows(rows: list[list[Node]], ways: list[list[Node]]) -> None:
    """Sort each row for few crossings, then for short arrows; in place."""
    steps = [step for way in ways for step in itertools.pairwise(way)]
    row_of = {node: i for i, row in enumerate(rows) for node in row}
    place = {}

    def settle(row: tuple[Node, ...]) -> None:
        for i, node in enumerate(row):
            place[node] = i - (len(row) - 1) / 2

    def cost(index: int, row: tuple[Node, ...]) -> float:
        settle(row)
        total = 0.
        for upper in (index, index + 1):
            ends = [(place[a], place[b]) for a, b in steps
                    if row_of[a] == upper]
            total += sum((a - c) * (b - d) < 0
                         for (a, b), (c, d) in itertools.combinations(ends, 2))
            total += 0.01 * sum((a - b)**2 for a, b in ends)
        return total

    for row in rows:
        settle(row)
    for _ in range(6):
        for i in [*range(len(rows)), *reversed(range(len(rows)))]:
            rows[i][:] = min(itertools.permutations(rows[i]),
                             key=lambda row, i=i: cost(i, row))
            settle(rows[i])


def place_nodes(rows: list[list[Node]],
                ways: list[list[Node]]) -> dict[Node, tuple[float, float]]:
    """Centre of each node: near its neighbours, and beside the others."""
    neighbours = {node: [] for row in rows for node in row}
    for way in ways:
        for a, b in itertools.pairwise(way):
            neighbours[a].append(b)
            neighbours[b].append(a)

    def half(node: Node) -> float:
        is_box = isinstance(node, str)
        return (BOX_WIDTH + BOX_GAP if is_box else ARROW_GAP) / 2

    places = {}
    for row in rows:
        halves = np.array([half(node) for node in row])
        right = np.cumsum(2 * halves)
        places |= zip(row, right - halves - right[-1] / 2, strict=True)
    for _ in range(40):
        for row in rows:
            halves = np.array([half(node) for node in row])
            offsets = np.cumsum(2 * halves) - halves
            wanted = np.array([
                np.mean([places[other] for other in neighbours[node]])
                for node in row
            ])
            fitted = isotonic_regression(wanted - offsets).x + offsets
            limit = WIDTH / 2 - BOX_WIDTH / 2 - 0.1
            excess = max(0., fitted[-1] - limit) + min(0., fitted[0] + limit)
            places |= zip(row, fitted - excess, strict=True)
    return {
        node: (WIDTH / 2 + places[node], 0.5 + i * ROW_HEIGHT)
        for i, row in enumerate(rows) for node in row
    }


def curve(way: list[Node], places: dict, start: float, end: float) -> Curve:
    """The way of an arrow: vertical at its rows, a curve between them."""
    xs = [start, *(places[node][0] for node in way[1:-1]), end]
    points, codes = [], []
    for i, (a, b) in enumerate(itertools.pairwise(way)):
        top = places[a][1] - BOX_HEIGHT / 2
        bottom = places[b][1] + BOX_HEIGHT / 2
        middle = (top + bottom) / 2
        points += [(xs[i], top), (xs[i], middle), (xs[i + 1], middle),
                   (xs[i + 1], bottom)]
        codes += [Curve.LINETO if i else Curve.MOVETO] + [Curve.CURVE4] * 3
    return Curve(points, codes)


def ports(name: str, ends: list[tuple[float, int]],
          places: dict) -> dict[int, float]:
    """Where on a box its arrows begin or end, by their number."""
    step = min(0.3, 0.8 * BOX_WIDTH / max(1, len(ends)))
    middle = (len(ends) - 1) / 2
    return {
        number: places[name][0] + (i - middle) * step
        for i, (_, number) in enumerate(sorted(ends))
    }


def main() -> None:
    """Draw the picture."""
    graph = without_detours(folder_imports())
    rows, ways = make_rows(graph)
    sort_rows(rows, ways)
    places = place_nodes(rows, ways)
    height = 1. + (len(rows) - 1) * ROW_HEIGHT
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.axis('off')
    starts, ends = {}, {}
    for name in graph:
        out = [(places[way[1]][0], i) for i, way in enumerate(ways)
               if way[0] == name]
        into = [(places[way[-2]][0], i) for i, way in enumerate(ways)
                if way[-1] == name]
        starts |= ports(name, out, places)
        ends |= ports(name, into, places)
    for i, way in enumerate(ways):
        path = curve(way, places, starts[i], ends[i])
        axes.add_patch(PathPatch(path, fill=False, edgecolor=LINE, lw=1.2))
        tip_x, tip_y = path.vertices[-1]
        axes.fill([tip_x - 0.05, tip_x + 0.05, tip_x],
                  [tip_y + 0.12, tip_y + 0.12, tip_y], color=LINE, lw=0)
    for name in graph:
        x, y = places[name]
        level = next(i for i, names in enumerate(LAYERS) if name in names)
        corner = (x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
        axes.add_patch(
            FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT,
                           boxstyle='round,pad=0,rounding_size=0.08',
                           facecolor=COLORS[level % len(COLORS)],
                           edgecolor=GREY, zorder=3))
        axes.text(x, y + 0.1, name, ha='center', va='center', color=INK,
                  fontsize=11.5, zorder=4)
        axes.text(x, y - 0.16, PURPOSES.get(name, ''), ha='center',
                  va='center', color=GREY, fontsize=8.5, zorder=4)
    figure.savefig(ROOT / 'docs/images/architecture.png', dpi=110)


if __name__ == '__main__':
    main()
