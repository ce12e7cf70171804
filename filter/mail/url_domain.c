#include "filter/mail/domain.h"
#include "filter/mail/url.h"

/*
 * Which links have a domain for SpamAssassin (rule language, section 5.4): a
 * valid name under a known top-level domain, or an address.
 */

bool
url_known_tld(struct span host)
{
	size_t dot = span_rfind_char(host, '.');

	return dot != SPAN_NPOS && domain_tld_known(span_skip(host, dot + 1));
}

/* Letters, digits, '-' inside, '_' above the last two labels. */
static bool
is_fqdn(struct span host)
{
	size_t n = 0;

	while (span_ends(host, SPAN(".")))
		host.len--;
	size_t labels = domain_labels(host);
	if (labels < 2 || host.len > DOMAIN_MAX)
		return false;
	while (host.p) {
		struct span label = span_cut(&host, '.');
		bool last = n++ + 2 >= labels;
		if (!label.len || label.len > DOMAIN_LABEL_MAX ||
		    label.p[0] == '-' || label.p[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			char c = label.p[i];
			if (!ascii_is_alnum(c) && c != '-' &&
			    (c != '_' || last))
				return false;
		}
	}
	return true;
}

bool
url_valid_host(struct span host)
{
	struct span name = host;

	while (span_ends(name, SPAN(".")))
		name.len--;
	/* A final dot hides the top-level domain from SpamAssassin. */
	return name.len == host.len && is_fqdn(host) && url_known_tld(host);
}

/* What SpamAssassin takes for the host of a URL that is no mailto. */
static struct span
host_of(struct span url)
{
	size_t n = 0;

	while (n < url.len && ascii_is_alpha(url.p[n]))
		n++;
	if (n > 0 && n < url.len && url.p[n] == ':') {
		url = span_skip(url, n + 1);
		for (int i = 0; i < 2 && span_starts(url, SPAN("/")); i++)
			url = span_skip(url, 1);
	}
	url = span_head(url, span_find_any(url, "/?#"));
	size_t at = span_rfind_char(url, '@');
	if (at != SPAN_NPOS)
		url = span_skip(url, at + 1);
	n = url.len;
	while (n > 0 && ascii_is_digit(url.p[n - 1]))
		n--;
	return n > 0 && url.p[n - 1] == ':' ? span_head(url, n - 1) : url;
}

static struct span
mail_host(struct span address)
{
	address = span_head(address, span_find_char(address, '?'));
	size_t first = span_find_char(address, '@');

	if (first == SPAN_NPOS || first != span_rfind_char(address, '@'))
		return SPAN_NONE;
	return span_skip(address, first + 1);
}

bool
url_has_domain(struct span url)
{
	static const char *const skipped[] = {"javascript:", "cid:", "file:"};
	struct ip ip;

	for (size_t i = 0; i < sizeof skipped / sizeof *skipped; i++)
		if (span_casestarts(url, span_of(skipped[i])))
			return false;
	struct span host = span_casestarts(url, SPAN("mailto:"))
			       ? mail_host(span_skip(url, 7))
			       : host_of(url);
	return host.len && (ip_parse(host, &ip) == 0 || url_valid_host(host));
}
