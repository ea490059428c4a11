"""What networks are trained on: symbols, degradations and scenes, made anew for every step."""
