"""Opens files of several pictures: the pages of TIFF and PDF, the frames of animations.

May import the other modules of `files`. All input here is untrusted.
"""
