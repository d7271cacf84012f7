"""Speed against public peers: both sides in one run, on the same file, with the ratio."""
