"""Stories across the APIs: what happens on one is seen on the others."""
