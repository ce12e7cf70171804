noinst_LIBRARIES += filter/auth/libauth.a
filter_auth_libauth_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS) \
	$(CRYPTO_CFLAGS) $(EXPAT_CFLAGS) $(ARCHIVE_CFLAGS)
filter_auth_libauth_a_SOURCES = \
	filter/auth/arc.c \
	filter/auth/arc.h \
	filter/auth/arc_internal.h \
	filter/auth/arc_read.c \
	filter/auth/bodyhash.c \
	filter/auth/bodyhash.h \
	filter/auth/bodyscan.c \
	filter/auth/bodyscan.h \
	filter/auth/crypto.h \
	filter/auth/dkim.c \
	filter/auth/dkim.h \
	filter/auth/dkim_guard.c \
	filter/auth/dkim_internal.h \
	filter/auth/dkim_key.c \
	filter/auth/dkim_library.c \
	filter/auth/dmarc.c \
	filter/auth/dmarc.h \
	filter/auth/dmarc_internal.h \
	filter/auth/dmarc_record.c \
	filter/auth/dmarc_walk.c \
	filter/auth/headerhash.c \
	filter/auth/headerhash.h \
	filter/auth/sign_key.c \
	filter/auth/sign_key.h \
	filter/auth/signature.c \
	filter/auth/signature.h \
	filter/auth/iprev.c \
	filter/auth/iprev.h \
	filter/auth/macro.c \
	filter/auth/macro.h \
	filter/auth/report.h \
	filter/auth/report_read.c \
	filter/auth/report_unpack.c \
	filter/auth/report_bounce.c \
	filter/auth/report_mail.c \
	filter/auth/report_mail.h \
	filter/auth/report_pack.c \
	filter/auth/report_row.c \
	filter/auth/report_row.h \
	filter/auth/report_rua.c \
	filter/auth/report_rua.h \
	filter/auth/report_write.c \
	filter/auth/spf.c \
	filter/auth/spf.h \
	filter/auth/spf_eval.c \
	filter/auth/spf_field.c \
	filter/auth/spf_field.h \
	filter/auth/spf_internal.h \
	filter/auth/spf_library.c \
	filter/auth/spf_record.c \
	filter/auth/spf_record.h \
	filter/auth/taglist.c \
	filter/auth/taglist.h
