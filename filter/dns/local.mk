noinst_LIBRARIES += filter/dns/libdns.a
filter_dns_libdns_a_SOURCES = \
	filter/dns/answer.c filter/dns/answer.h \
	filter/dns/batch.c \
	filter/dns/cache.c filter/dns/cache.h \
	filter/dns/dns.c filter/dns/dns.h \
	filter/dns/dns_unbound.c \
	filter/dns/dnslist.c filter/dns/dnslist.h \
	filter/dns/dnslist_health.c \
	filter/dns/dns_zone.c \
	filter/dns/draft.c filter/dns/draft.h \
	filter/dns/name.c filter/dns/name.h \
	filter/dns/resolver.h \
	filter/dns/zone.c filter/dns/zone.h \
	filter/dns/zone_field.c filter/dns/zone_field.h \
	filter/dns/zone_lex.c filter/dns/zone_lex.h
