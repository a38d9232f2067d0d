"""Tests of fetching images."""
