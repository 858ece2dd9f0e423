"""Durable queues of outgoing requests: claim due items, try, retry with backoff, give up."""
