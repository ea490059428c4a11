"""Training and measuring on photographs of one's own.

A folder of pictures and labels comes in; its codes become crops with the modules that were printed, split by group,
then batches mixed with synthetic ones, and tables of figures before and after.
"""
