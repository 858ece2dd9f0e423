"""Push rules (client-server API, "Push Rules"): which users an event notifies, and how.

`defaults` has the predefined rules, `ruleset` the rules of one user, `evaluate` finds the matching rule for an event
and each of its readers. All objects here are immutable.
"""
