#!/bin/sh
# The daemon over real sockets (milter_cases.py), where a Python is there.
# For a build with ThreadSanitizer.
TSAN_OPTIONS="suppressions=$srcdir/tests/milter/tsan.supp $TSAN_OPTIONS"
export TSAN_OPTIONS
for python in /usr/bin/python3 python3; do
	if "$python" -c 'import socket, struct, threading' 2>/dev/null; then
		exec "$python" -B "$srcdir/tests/milter/milter_cases.py" \
			./assayd
	fi
done
echo "1..0 # SKIP no python3"
