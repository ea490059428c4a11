"""Attacks on a service of one's own, and what it must still do meanwhile: `python -m tools.attack [NUMBER...]`.

One module an attack; `table.py` numbers them, docs/operations.md lists them.
"""
