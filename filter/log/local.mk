noinst_LIBRARIES += filter/log/liblog.a
filter_log_liblog_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
filter_log_liblog_a_SOURCES = \
	filter/log/record.h \
	filter/log/verdictlog.h
