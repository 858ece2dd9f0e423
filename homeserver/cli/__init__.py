"""The command line: one module per subject; each command reads the settings and calls one service."""
