"""What ISO/IEC 18004 fixes: patterns, codewords, messages, error correction, and soft decoding on top of it.

Pure numpy; imports nothing else of the pipeline but `imaging`.
"""
