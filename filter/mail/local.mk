noinst_LIBRARIES += filter/mail/libmail.a
filter_mail_libmail_a_CPPFLAGS = $(AM_CPPFLAGS) $(ICU_CFLAGS) $(IDN2_CFLAGS) \
	$(PSL_CFLAGS)
filter_mail_libmail_a_SOURCES = \
	filter/mail/addr.c filter/mail/addr.h \
	filter/mail/authres.c filter/mail/authres.h \
	filter/mail/ctype.c filter/mail/ctype.h \
	filter/mail/domain.c filter/mail/domain.h \
	filter/mail/header.c filter/mail/header.h \
	filter/mail/html.c filter/mail/html.h \
	filter/mail/message.c filter/mail/message.h \
	filter/mail/mime.c filter/mail/mime.h \
	filter/mail/received.c filter/mail/received.h \
	filter/mail/text.c filter/mail/text.h \
	filter/mail/url.c filter/mail/url.h \
	filter/mail/view.c filter/mail/view.h \
	filter/mail/word.c filter/mail/word.h
