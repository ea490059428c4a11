"""Load and endurance: what a service answers, how fast, and what memory it keeps."""
