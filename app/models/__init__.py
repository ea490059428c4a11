"""The networks, one file each, named as in their papers; their contract; and the file format of their weights.

`contract` and `header` do not import torch; everything else does. May import `app.errors`.
"""
