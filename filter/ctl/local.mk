# What tests reach too: forms of what is shown, without the commands.
noinst_LIBRARIES += filter/ctl/libctl.a
filter_ctl_libctl_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
filter_ctl_libctl_a_SOURCES = \
	filter/ctl/ctl_safe.c \
	filter/ctl/doctor.c \
	filter/ctl/doctor.h \
	filter/ctl/doctor_machine.c \
	filter/ctl/doctor_postfix.c \
	filter/ctl/doctor_sendmail.c \
	filter/ctl/doctor_state.c \
	filter/ctl/json.c \
	filter/ctl/json.h \
	filter/ctl/log_csv.c \
	filter/ctl/log_format.c \
	filter/ctl/log_format.h \
	filter/ctl/log_json.c \
	filter/ctl/place.c \
	filter/ctl/place.h \
	filter/ctl/postconf.c \
	filter/ctl/postconf.h \
	filter/ctl/postconf_expand.c \
	filter/ctl/report_json.c \
	filter/ctl/report_table.c \
	filter/ctl/report_table.h \
	filter/ctl/sendmailcf.c \
	filter/ctl/sendmailcf.h \
	filter/ctl/when.c \
	filter/ctl/when.h \
	filter/ctl/why.h \
	filter/ctl/why_facts.c \
	filter/ctl/why_find.c \
	filter/ctl/why_points.c \
	filter/ctl/why_text.c \
	filter/ctl/why_turn.c
LIBS_CTL = filter/ctl/libctl.a $(LIBS_FILTER)

bin_PROGRAMS += assay
assay_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
assay_LDADD = $(LIBS_CTL)
assay_SOURCES = \
	filter/ctl/call.c \
	filter/ctl/call.h \
	filter/ctl/check_format.c \
	filter/ctl/check_format.h \
	filter/ctl/ctl.c \
	filter/ctl/ctl.h \
	filter/ctl/ctl_arc.c \
	filter/ctl/ctl_auth.c \
	filter/ctl/ctl_check.c \
	filter/ctl/ctl_config.c \
	filter/ctl/ctl_daemon.c \
	filter/ctl/ctl_dkim.c \
	filter/ctl/ctl_dkim_sign.c \
	filter/ctl/ctl_dkim_testkey.c \
	filter/ctl/ctl_doctor.c \
	filter/ctl/dkim.h \
	filter/ctl/ctl_learn.c \
	filter/ctl/ctl_log.c \
	filter/ctl/ctl_report.c \
	filter/ctl/ctl_report_bounce.c \
	filter/ctl/ctl_report_dmarc.c \
	filter/ctl/ctl_reputation.c \
	filter/ctl/ctl_rules.c \
	filter/ctl/ctl_why.c \
	filter/ctl/job.c \
	filter/ctl/job.h \
	filter/ctl/learn_eval.c \
	filter/ctl/learn_eval.h \
	filter/ctl/marks.c \
	filter/ctl/marks.h \
	filter/ctl/report_day.c \
	filter/ctl/report_day.h \
	filter/ctl/report_job.c \
	filter/ctl/report_job.h \
	filter/ctl/report_make.c \
	filter/ctl/report_make.h \
	filter/ctl/sendmail.c \
	filter/ctl/sendmail.h \
	filter/ctl/failure_list.c \
	filter/ctl/failure_list.h \
	filter/ctl/report_from.c \
	filter/ctl/report_from.h \
	filter/ctl/report_read.c \
	filter/ctl/ctl_report_failures.c \
	filter/ctl/source.c \
	filter/ctl/source.h \
	filter/ctl/verdicts.c \
	filter/ctl/verdicts.h
