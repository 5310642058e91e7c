"""Stores: where records rest."""
