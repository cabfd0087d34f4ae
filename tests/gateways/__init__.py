"""Real gateways for the tests and the demo: installs, starts and stops them.

Put the folder `tests` on `sys.path` and import from here, for example `from gateways import mlflow_server`.
"""
