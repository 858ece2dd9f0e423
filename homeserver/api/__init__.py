"""The APIs ("faces"): each speaks one wire format and calls the services. They do not import each other."""
