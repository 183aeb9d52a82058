"""Mutual-information bounds, contrastive encoders, and studies that end in a verdict."""
