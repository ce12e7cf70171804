noinst_LIBRARIES += filter/mail/libmail.a
filter_mail_libmail_a_CPPFLAGS = $(AM_CPPFLAGS) $(ICU_CFLAGS) $(IDN2_CFLAGS) \
	$(PSL_CFLAGS)
filter_mail_libmail_a_SOURCES = \
	filter/mail/addr.c \
	filter/mail/addr.h \
	filter/mail/addr_path.c \
	filter/mail/addr_spec.c \
	filter/mail/addr_spec.h \
	filter/mail/addr_token.c \
	filter/mail/addr_token.h \
	filter/mail/authres.c \
	filter/mail/authres.h \
	filter/mail/authres_part.c \
	filter/mail/authres_read.c \
	filter/mail/ctype.c \
	filter/mail/ctype.h \
	filter/mail/ctype_name.c \
	filter/mail/ctype_name.h \
	filter/mail/domain.c \
	filter/mail/domain.h \
	filter/mail/fieldtext.c \
	filter/mail/fieldtext.h \
	filter/mail/header.c \
	filter/mail/header.h \
	filter/mail/html.c \
	filter/mail/html.h \
	filter/mail/html_colour.c \
	filter/mail/html_entity.c \
	filter/mail/html_internal.h \
	filter/mail/html_link.c \
	filter/mail/html_reader.h \
	filter/mail/html_style.c \
	filter/mail/html_tag.c \
	filter/mail/html_text.c \
	filter/mail/html_uri.c \
	filter/mail/message.c \
	filter/mail/message.h \
	filter/mail/message_ask.c \
	filter/mail/message_internal.h \
	filter/mail/mime.c \
	filter/mail/mime.h \
	filter/mail/mime_decode.c \
	filter/mail/mime_internal.h \
	filter/mail/mime_lines.c \
	filter/mail/mime_lines.h \
	filter/mail/mime_part.c \
	filter/mail/received.c \
	filter/mail/received.h \
	filter/mail/received_date.c \
	filter/mail/relay.c filter/mail/relay.h \
	filter/mail/text.c \
	filter/mail/text.h \
	filter/mail/url.c \
	filter/mail/url.h \
	filter/mail/url_domain.c \
	filter/mail/url_find.c \
	filter/mail/url_forms.c \
	filter/mail/url_internal.h \
	filter/mail/url_text.c \
	filter/mail/view.c \
	filter/mail/view.h \
	filter/mail/view_body.c \
	filter/mail/view_header.c \
	filter/mail/word.c \
	filter/mail/word.h \
	filter/mail/word_charset.c
