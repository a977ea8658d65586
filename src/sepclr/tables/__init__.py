"""Tables of many runs: plans, workers, published numbers and pages."""
