"""What ISO/IEC 18004 fixes: patterns, codewords, messages and error correction; and soft decoding on top of it.

Pure numpy. May import `imaging`, and nothing else of the pipeline.
"""
