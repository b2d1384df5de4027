from benchmarks.real.results import Results
from projects.hcast import compare


def test_table_pairs_the_seeds(tmp_path):
    results = Results(tmp_path / 'results.json')
    for row, values in (('H-CAST', (10., 12.)),
                        ('a model per level', (14., 18.))):
        for seed, value in enumerate(values):
            results.add(f'scenes, {row}, seed {seed}',
                        {'taxonomy/FPA': 50. - seed, 'taxonomy/TICE': value},
                        1.)
    results.add('imagenette, H-CAST, seed 0', {'taxonomy/TICE': 90.}, 1.)
    assert compare.make_table(results, 'scenes').splitlines() == [
        '| scenes, % | FPA | TICE |', '|---|---:|---:|',
        '| H-CAST | 49.5 ± 0.5 | 11.0 ± 1.0 |',
        '| a model per level | 49.5 ± 0.5; +0.0 | 16.0 ± 2.0; +5.0 |'
    ]
