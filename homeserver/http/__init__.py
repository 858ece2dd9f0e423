"""HTTP code shared by all APIs ("faces"). It imports no face and no service."""
