"""Tables of many runs: their plan, who runs them, published numbers, pages."""
