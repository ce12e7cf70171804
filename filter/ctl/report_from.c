#include "filter/ctl/report_from.h"

#include "filter/auth/report_rua.h"
#include "filter/ctl/call.h"
#include "filter/mail/domain.h"
#include "filter/sign.h"
#include "filter/socket.h"

/*
 * See the header. Asked is what our own milter will make of a mail that
 * sendmail(1) takes: nobody logged in, no network client.
 */

/* What we ask of others' addresses holds for ours. */
static int
read_address(const struct ctl *ctl, const char *name, struct span address,
    struct arena *arena, struct span *ret_host)
{
	struct report_targets one;

	report_targets_parse(
	    &one, arena_printf(arena, "mailto:%.*s", SPAN_ARG(address)), arena);
	if (one.v.n != 1 || !span_caseeq(one.v.v[0].address, address))
		return ctl_fail(ctl, EX_CONFIG, "%s = %.*s: no plain address",
		    name, SPAN_ARG(address));
	*ret_host = one.v.v[0].host;
	return EX_OK;
}

int
report_from_read(const struct ctl *ctl, const struct settings *settings,
    struct arena *arena, struct span *ret)
{
	const struct report_settings *report = &settings->report;
	struct span host;

	if (!report->from.len)
		return ctl_fail(ctl, EX_CONFIG, "report.from is not set");
	int status = read_address(ctl, "report.from", report->from, arena, ret);
	if (status == EX_OK && report->bounces.len)
		status = read_address(
		    ctl, "report.bounces", report->bounces, arena, &host);
	return status;
}

int
report_from_signed(const struct ctl *ctl, const struct snapshot *snapshot,
    struct span domain, struct arena *arena)
{
	const struct settings *settings = &snapshot->settings;
	struct header_list headers;
	struct addr_list from;
	struct sign_decision decision;

	header_init(&headers, arena);
	header_add(&headers, SPAN("From"), settings->report.from);
	addr_parse(&from, settings->report.from, arena);
	struct sign_facts facts = {
	    .direction = DIRECTION_OUT,
	    .internal = true,
	    .inet = socket_is_inet(settings->socket),
	    .headers = &headers,
	    .from = &from,
	};
	sign_decide(
	    &settings->sign, snapshot->keyring, &facts, arena, &decision);
	if (decision.answer != SIGN_YES)
		return ctl_fail(ctl, EX_CONFIG,
		    "report.from = %.*s would leave unsigned: %s",
		    SPAN_ARG(settings->report.from),
		    sign_answer_text(decision.answer));
	for (size_t i = 0; i < decision.n_signers; i++)
		if (domain_is_below(domain, decision.signers[i].domain))
			return EX_OK;
	return ctl_fail(ctl, EX_CONFIG,
	    "report.from = %.*s is signed for another domain alone",
	    SPAN_ARG(settings->report.from));
}

void
report_from_look(const struct ctl *ctl, const struct settings *settings)
{
	json_t *reply = NULL;
	int status = call_daemon(ctl, settings->control,
	    "{\"request\":\"status\"}\n", -1, true, &reply);

	json_decref(reply);
	if (status == EX_UNAVAILABLE)
		ctl_fail(ctl, EX_OK,
		    "warning: assayd does not answer; reports leave unsigned"
		    " unless another signs them");
}
