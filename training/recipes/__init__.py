"""One recipe for each system that can be trained, by name."""
