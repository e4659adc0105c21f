"""Speed against the textbook way of doing the same thing, as ratios in one run."""
