# One suite over every backend that has to behave alike.
CONTRACT = \
	tests/contract/test_store \
	tests/contract/test_store_kill \
	tests/contract/test_resolver
check_PROGRAMS += $(CONTRACT)
TESTS += $(CONTRACT)

tests_contract_test_resolver_SOURCES = tests/contract/test_resolver.c \
	tests/contract/dns_server.c tests/contract/dns_server.h
tests_contract_test_resolver_LDADD = tests/lib/libtap.a $(LIBS_DNS)
tests_contract_test_store_LDADD = tests/lib/libtap.a $(LIBS_STORE)
tests_contract_test_store_kill_LDADD = tests/lib/libtap.a $(LIBS_STORE)
# With a real nsd, from tests/run.
EXTRA_DIST += tests/contract/test_lists.py tests/lib/nameserver.py
