"""Networks, one file each, named as in their papers; what they promise in service; and the file format of weights.

`contract` is free of torch; everything else needs it. Imports `app.errors` only.
"""
