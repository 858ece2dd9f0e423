"""Settings: `models` (one record per section), `load` (file, environment, secret files), `reference`.

Services take the record of their own section; only `app.py` and the command line know `Settings` as a whole.
"""
