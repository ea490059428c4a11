"""What networks are trained towards: losses, perceptual features and discriminators."""
