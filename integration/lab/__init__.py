"""The lab: nodes, routers and a client in network namespaces (see lab.py)."""
