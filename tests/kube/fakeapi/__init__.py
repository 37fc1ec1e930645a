"""The parts of tests/kube/fake_apiserver.py; see there."""
