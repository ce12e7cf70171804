noinst_LIBRARIES += filter/libfilter.a
filter_libfilter_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
filter_libfilter_a_SOURCES = \
	filter/examine.c filter/examine.h \
	filter/policy.h \
	filter/settings.c filter/settings.h \
	filter/settings_table.c filter/snapshot.c
