"""Batches of scenes of every kind for the locator."""

from numpy.random import Generator

from app.pipeline.imaging import standardise
from training.data.degrade import to_uint8
from training.data.hard_scenes import hard_scene
from training.data.lookalike_scenes import lookalike_scene
from training.data.scene_batches import SceneBatch, stack_scenes
from training.data.scenes import scene
from training.data.stretched_scenes import stretched_scene


def mixed_scene_batch(
    rng: Generator, *, size: int, side: int, hard: float, lookalikes: float, stretched: float
) -> SceneBatch:
    """A batch of ``size`` windows of ``side`` x ``side`` pixels: a share ``hard`` of hard scenes, a share
    ``lookalikes`` of those filled with what looks like a code, a share ``stretched`` of those of stretched pictures,
    the others plain."""
    scenes = []
    for _ in range(size):
        kind = rng.random()
        if kind < hard:
            scenes.append(hard_scene(rng, side))
        elif kind < hard + lookalikes:
            scenes.append(lookalike_scene(rng, side))
        elif kind < hard + lookalikes + stretched:
            scenes.append(stretched_scene(rng, side))
        else:
            image, codes = scene(rng, side)
            scenes.append((standardise(to_uint8(image)), codes))
    return stack_scenes(scenes)
