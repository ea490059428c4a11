"""Measures pictures of many codes: synthetic pallets, sheets and pages, and the command that reads them.

Every code of a picture is labelled with its payload and corners. Photographs are measured by `training.measure.photos`.
"""
