bin_PROGRAMS += assay
assay_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
assay_LDADD = $(LIBS_FILTER)
assay_SOURCES = \
	filter/ctl/call.c \
	filter/ctl/call.h \
	filter/ctl/check_format.c \
	filter/ctl/check_format.h \
	filter/ctl/ctl.c \
	filter/ctl/ctl.h \
	filter/ctl/ctl_auth.c \
	filter/ctl/ctl_check.c \
	filter/ctl/ctl_config.c \
	filter/ctl/ctl_daemon.c \
	filter/ctl/ctl_learn.c \
	filter/ctl/ctl_rules.c \
	filter/ctl/job.c \
	filter/ctl/job.h \
	filter/ctl/json.c \
	filter/ctl/json.h \
	filter/ctl/learn_eval.c \
	filter/ctl/learn_eval.h \
	filter/ctl/source.c \
	filter/ctl/source.h
