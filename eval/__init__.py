"""Sampling positions, aggregating measures, intervals, matches and reports."""
