/*
 * A filter that does nothing, as the measure of what libmilter itself costs:
 * it takes every callback that assayd takes, waives the same replies, and
 * accepts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <libmilter/mfapi.h>

#include "filter/base/unconst.h"

static sfsistat
on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	(void)ctx;
	(void)name;
	(void)address;
	return SMFIS_CONTINUE;
}

static sfsistat
on_mail(SMFICTX *ctx, char **args)
{
	(void)ctx;
	(void)args;
	return SMFIS_CONTINUE;
}

static sfsistat
on_waived_text(SMFICTX *ctx, char *text)
{
	(void)ctx;
	(void)text;
	return SMFIS_NOREPLY;
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_NOREPLY;
}

static sfsistat
on_waived(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_NOREPLY;
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t size)
{
	(void)ctx;
	(void)chunk;
	(void)size;
	return SMFIS_NOREPLY;
}

static sfsistat
on_end(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
    unsigned long f3, unsigned long *pf0, unsigned long *pf1,
    unsigned long *pf2, unsigned long *pf3)
{
	unsigned long waive = SMFIP_NR_HELO | SMFIP_NR_DATA | SMFIP_NR_HDR |
			      SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_HDR_LEADSPC;

	(void)ctx;
	(void)f2;
	(void)f3;
	*pf0 = f0;
	*pf1 = f1 & waive;
	*pf2 = *pf3 = 0;
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	struct smfiDesc filter = {
	    .xxfi_name = unconst("null"),
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_ADDHDRS,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_waived_text,
	    .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_mail,
	    .xxfi_data = on_waived,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_waived,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end,
	    .xxfi_negotiate = on_negotiate,
	};

	if (argc != 2 || smfi_register(filter) != MI_SUCCESS ||
	    smfi_setconn(argv[1]) != MI_SUCCESS) {
		fprintf(stderr, "usage: null SOCKET\n");
		return EXIT_FAILURE;
	}
	return smfi_main() == MI_SUCCESS ? EXIT_SUCCESS : EXIT_FAILURE;
}
