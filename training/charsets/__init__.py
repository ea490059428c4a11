"""How the tables are made by which the service guesses charsets: texts, what is counted in them, and what is written.

What comes in here serves `app/pipeline/payload/plausibility.py`; measuring the guess is `training.measure.charsets`.
"""
