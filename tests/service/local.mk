# The daemon under a service manager: readiness, watchdog, inherited sockets,
# and what is installed for systemd.
TESTS += tests/service/test_service.py tests/service/test_units.py
EXTRA_DIST += tests/service/test_service.py tests/service/test_units.py
