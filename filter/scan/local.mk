noinst_LIBRARIES += filter/scan/libscan.a
filter_scan_libscan_a_SOURCES = \
	filter/scan/direction.c \
	filter/scan/direction.h \
	filter/scan/scan.c \
	filter/scan/scan.h \
	filter/scan/scan_arc.c \
	filter/scan/scan_arc.h \
	filter/scan/scan_client.c \
	filter/scan/scan_client.h \
	filter/scan/scan_iprev.c \
	filter/scan/scan_iprev.h \
	filter/scan/scan_dmarc.c \
	filter/scan/scan_internal.h \
	filter/scan/scan_learned.c \
	filter/scan/scan_reputation.c \
	filter/scan/scan_list.c \
	filter/scan/scan_list.h \
	filter/scan/scan_store.c \
	filter/scan/slots.c \
	filter/scan/slots.h
