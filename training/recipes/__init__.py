"""Training recipes: one function per run, each returning a whole `TrainConfig`.

`registry.RECIPES` lists them by name. The first line of a recipe's docstring is its description in
``python -m training --list``; the rest states how long it trained and what it gave.
"""
