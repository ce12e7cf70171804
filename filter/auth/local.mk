noinst_LIBRARIES += filter/auth/libauth.a
filter_auth_libauth_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS) \
	$(CRYPTO_CFLAGS)
filter_auth_libauth_a_SOURCES = \
	filter/auth/bodyhash.h \
	filter/auth/dkim.h \
	filter/auth/dmarc.h \
	filter/auth/macro.c \
	filter/auth/macro.h \
	filter/auth/spf.c \
	filter/auth/spf.h \
	filter/auth/spf_internal.h \
	filter/auth/spf_library.c \
	filter/auth/spf_record.c \
	filter/auth/spf_record.h \
	filter/auth/taglist.h
