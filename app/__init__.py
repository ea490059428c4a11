"""qrestore: reads QR codes that stock decoders cannot, over HTTP and from the command line."""

__version__ = "0.1.0"
