"""The command line: one module per subject; each verb reads the settings and calls one service."""
