noinst_LIBRARIES += filter/dns/libdns.a
filter_dns_libdns_a_SOURCES = \
	filter/dns/cache.c filter/dns/cache.h \
	filter/dns/dns.c filter/dns/dns.h \
	filter/dns/resolver.h \
	filter/dns/dns_unbound.c \
	filter/dns/dns_zone.c
