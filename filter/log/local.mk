noinst_LIBRARIES += filter/log/liblog.a
filter_log_liblog_a_CPPFLAGS = $(AM_CPPFLAGS) $(SQLITE_CFLAGS)
filter_log_liblog_a_SOURCES = \
	filter/log/log_day.c \
	filter/log/log_day.h \
	filter/log/log_match.c \
	filter/log/log_match.h \
	filter/log/log_sqlite.c \
	filter/log/log_sqlite.h \
	filter/log/log_sqlite_common.c \
	filter/log/log_sqlite_common.h \
	filter/log/log_sqlite_connect.c \
	filter/log/log_sqlite_connect.h \
	filter/log/log_sqlite_file.h \
	filter/log/log_sqlite_open.c \
	filter/log/log_sqlite_read.c \
	filter/log/log_text.c \
	filter/log/log_text.h \
	filter/log/log_writer.c \
	filter/log/log_writer.h \
	filter/log/record.c \
	filter/log/record.h \
	filter/log/verdictlog.c \
	filter/log/verdictlog.h \
	filter/log/verdictlog_read.c
