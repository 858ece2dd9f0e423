"""What serves every package and knows no rule: caches, batching, rate limits, names."""
