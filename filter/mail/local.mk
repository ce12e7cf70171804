noinst_LIBRARIES += filter/mail/libmail.a
filter_mail_libmail_a_CPPFLAGS = $(AM_CPPFLAGS) $(ICU_CFLAGS) $(IDN2_CFLAGS) \
	$(PSL_CFLAGS)
filter_mail_libmail_a_SOURCES = \
	filter/mail/addr.h filter/mail/authres.h filter/mail/ctype.h \
	filter/mail/domain.c filter/mail/domain.h \
	filter/mail/header.c filter/mail/header.h \
	filter/mail/html.h filter/mail/message.h filter/mail/mime.h \
	filter/mail/received.h filter/mail/text.h filter/mail/url.h \
	filter/mail/view.h filter/mail/word.h \
	filter/mail/word.c \
	filter/mail/word_charset.c
