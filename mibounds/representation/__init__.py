"""Contrastive encoders: sources of paired views, encoders, methods, the one pretraining loop, and measuring a model.

Everything is a stack of R independent runs, `R x n x ...`, that may differ in seed, source, temperature, number of
negatives and learning rate; every parameter has the run as its leading dimension. A run gives the same numbers alone as
among others.
"""
