"""Servers that misbehave on demand: every fault of a gateway, a proxy or the network that a client can encounter.

`FaultServer` has the faults of `heads`, `framings`, `contents` and `event_faults`. `tls_faults` and `proxy_faults` have
those of TLS and of proxies, `sites` those of the network. test_faults.py has the expected status of each.
"""
