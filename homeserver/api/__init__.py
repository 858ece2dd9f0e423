"""The faces: each speaks one wire and calls the services. They do not know each other."""
