# Aggregate reports, from the store to sendmail.
check_PROGRAMS += tests/report/report_driver
tests_report_report_driver_LDADD = $(LIBS_FILTER)
TESTS += tests/report/test_failures.py tests/report/test_report.py
EXTRA_DIST += tests/report/test_failures.py tests/report/test_report.py
