"""Fuzz targets: damaged games and arbitrary bytes against what data preparation promises.

`python -m fuzz.movetext` (hostile movetext: kernel = reference = board), `python -m fuzz.dumps` (hostile files through
`chesslm data prepare`) and `python -m fuzz.guided` (movetext again, inputs chosen by branch coverage; needs atheris).
All are seeded, and all end with exit code 1 and the offending bytes at the first broken promise.
"""
