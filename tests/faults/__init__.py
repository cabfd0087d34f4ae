"""A server that breaks on demand: every fault of a gateway, of the way to it and of a proxy that a client can meet.

`FaultServer` plays the faults of `heads`, `framings`, `contents` and `event_faults`; `tls_faults`, `proxy_faults` and
`ways` have those of the handshake, of a proxy and of the network. What has to come of each is in test_faults.py.
"""
