"""Attacks on a service of one's own, and what it must still do meanwhile: `python -m tools.attack [ROW...]`.

One module an attack; `table.py` lists them under the rows that they measure.
"""
