# The daemon over real sockets, spoken to by a scripted client.
TESTS += tests/milter/test_milter.sh
EXTRA_DIST += tests/milter/test_milter.sh tests/milter/milter_cases.py \
	tests/milter/milter.py tests/milter/play.py
EXTRA_DIST += tests/milter/tsan.supp
# With a real redis-server, taken away in mid-run.
TESTS += tests/milter/test_redis.py
EXTRA_DIST += tests/milter/test_redis.py
# SIGKILL while it writes.
TESTS += tests/milter/test_kill.py
EXTRA_DIST += tests/milter/test_kill.py
