"""Fuzzing: mutated requests, images and symbols, and the inputs that broke a promise.

`campaigns` are the loops that try inputs, `targets` the code that is tried, `inputs` what generates and mutates inputs.
`corpus` keeps the inputs of findings, in a folder for each target.
"""
