"""Archives, for `qrestore archive`: which files, the parts that results are written to, and what reads them.

May import everything below `app.cli` and `app.cli.batch`. Only `on_ray` imports Ray, and only `storage` and the Parquet
of `parts` import pyarrow: both come with the extra `ray`.
"""
