noinst_LIBRARIES += filter/libfilter.a
filter_libfilter_a_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SYSTEMD_CFLAGS)
filter_libfilter_a_SOURCES = \
	filter/control.c filter/control.h \
	filter/control_answer.c filter/control_answer.h \
	filter/daemon.c filter/daemon.h \
	filter/enact.c filter/enact.h \
	filter/examine.c filter/examine.h \
	filter/failure.c filter/failure.h \
	filter/feedback.c filter/feedback.h \
	filter/fields.c filter/fields.h \
	filter/fields_authres.c \
	filter/fields_internal.h \
	filter/fields_leave.c \
	filter/fields_spam.c \
	filter/journal.c filter/journal.h \
	filter/mta.h \
	filter/policy.c filter/policy.h \
	filter/policy_facts.c \
	filter/privilege.c filter/privilege.h \
	filter/recorder.c filter/recorder.h \
	filter/ref.c filter/ref.h \
	filter/registry.c filter/registry.h \
	filter/reply.c filter/reply.h \
	filter/report.c \
	filter/report.h \
	filter/report_mark.c \
	filter/report_mark.h \
	filter/service.c filter/service.h \
	filter/session.c filter/session.h filter/session_internal.h \
	filter/session_judge.c \
	filter/settings.c filter/settings.h filter/settings_internal.h \
	filter/settings_auth.c \
	filter/settings_lists.c \
	filter/settings_table.c filter/snapshot.c \
	filter/sign.c filter/sign.h \
	filter/sealing.c filter/sealing.h \
	filter/signing.c filter/signing.h \
	filter/socket.c filter/socket.h \
	filter/state.c filter/state.h \
	filter/stats.c filter/stats.h \
	filter/train.c filter/train.h \
	filter/watch.c filter/watch.h

# The one program that knows libmilter.
sbin_PROGRAMS += assayd
assayd_LDADD = $(LIBS_FILTER) $(MILTER_LIBS)
assayd_SOURCES = filter/main.c filter/milter.c filter/milter.h \
	filter/process.c filter/process.h
