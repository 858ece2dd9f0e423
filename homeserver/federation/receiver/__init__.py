"""Events and ephemeral data from other servers."""
