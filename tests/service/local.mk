# The daemon under a service manager: readiness, watchdog, inherited sockets.
TESTS += tests/service/test_service.py
EXTRA_DIST += tests/service/test_service.py
