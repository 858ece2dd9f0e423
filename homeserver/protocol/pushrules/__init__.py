"""Push rules (client-server API, "Push Rules"): who is told of an event, and how loudly.

`defaults` has the rules that everybody starts with, `ruleset` those of one person, `evaluate` finds for an event and
all its readers which rule speaks. Events do not change while they are looked at, and neither does anything in here.
"""
