"""Federation with other servers."""
