"""One recipe for each system that can be trained; `registry` lists them all by name.

The recipes of published systems use the published data, losses and learning rates as far as they are known, in a size
that two CPU cores can train; sizes that need a GPU have separate recipes. Systems that upscale by four train on the
pairs of `training.data.pairs`; systems that keep the size train on the aligned crops of `training.data.crops`. Samples
are generated without end, so no validation part is held back: validation batches have their own seeds. Adam is AdamW
without weight decay.
"""
