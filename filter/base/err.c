#include "filter/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * Errors as values: a code for the program and one line for a person. The
 * text is made where the failure is first seen; callers add context in front.
 */

PRINTF(3, 0)
static void
err_format(struct err *err, int code, const char *fmt, va_list ap)
{
	err->code = code;
	vsnprintf(err->text, sizeof err->text, fmt, ap);
}

int
err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		err_format(err, code, fmt, ap);
		va_end(ap);
	}
	return code;
}

int
err_set_errno(struct err *err, int error, const char *fmt, ...)
{
	char why[128] = "unknown error";
	va_list ap;
	size_t used;

	if (!err)
		return ERR_IO;
	va_start(ap, fmt);
	err_format(err, ERR_IO, fmt, ap);
	va_end(ap);
	/* The GNU form returns the text, in `why` or in a constant. */
	const char *text = strerror_r(error, why, sizeof why);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, ": %s", text);
	return ERR_IO;
}

int
err_prefix(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_SIZE];
	va_list ap;
	size_t used;

	if (!err)
		return ERR_INVALID;
	memcpy(old, err->text, sizeof old);
	va_start(ap, fmt);
	err_format(err, err->code, fmt, ap);
	va_end(ap);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof err->text - used, "%s", old);
	return err->code;
}

const char *
err_name(int code)
{
	static const char *const names[] = {"ok", "memory", "limit", "syntax",
	    "io", "not found", "timeout", "invalid", "access", "state"};

	if (code > 0 || (size_t)-code >= sizeof names / sizeof *names)
		return "unknown";
	return names[-code];
}
