"""Programs for developers that are no tests: fuzzing, load, drawing, and golden answers."""
