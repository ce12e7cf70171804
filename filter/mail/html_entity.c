#include "filter/mail/html_internal.h"

/*
 * Character references: numbers, and the names of HTML 4, read as
 * SpamAssassin's parser reads them, which is close to what browsers do: a
 * final ';' may lack behind numbers and the names of Latin-1.
 */

#define NAME_LONGEST 8

static const struct entity {
	char name[NAME_LONGEST + 1];
	uint16_t code;
} entities[] = {
    {"AElig", 198},
    {"Aacute", 193},
    {"Acirc", 194},
    {"Agrave", 192},
    {"Alpha", 913},
    {"Aring", 197},
    {"Atilde", 195},
    {"Auml", 196},
    {"Beta", 914},
    {"Ccedil", 199},
    {"Chi", 935},
    {"Dagger", 8225},
    {"Delta", 916},
    {"ETH", 208},
    {"Eacute", 201},
    {"Ecirc", 202},
    {"Egrave", 200},
    {"Epsilon", 917},
    {"Eta", 919},
    {"Euml", 203},
    {"Gamma", 915},
    {"Iacute", 205},
    {"Icirc", 206},
    {"Igrave", 204},
    {"Iota", 921},
    {"Iuml", 207},
    {"Kappa", 922},
    {"Lambda", 923},
    {"Mu", 924},
    {"Ntilde", 209},
    {"Nu", 925},
    {"OElig", 338},
    {"Oacute", 211},
    {"Ocirc", 212},
    {"Ograve", 210},
    {"Omega", 937},
    {"Omicron", 927},
    {"Oslash", 216},
    {"Otilde", 213},
    {"Ouml", 214},
    {"Phi", 934},
    {"Pi", 928},
    {"Prime", 8243},
    {"Psi", 936},
    {"Rho", 929},
    {"Scaron", 352},
    {"Sigma", 931},
    {"THORN", 222},
    {"Tau", 932},
    {"Theta", 920},
    {"Uacute", 218},
    {"Ucirc", 219},
    {"Ugrave", 217},
    {"Upsilon", 933},
    {"Uuml", 220},
    {"Xi", 926},
    {"Yacute", 221},
    {"Yuml", 376},
    {"Zeta", 918},
    {"aacute", 225},
    {"acirc", 226},
    {"acute", 180},
    {"aelig", 230},
    {"agrave", 224},
    {"alefsym", 8501},
    {"alpha", 945},
    {"amp", 38},
    {"and", 8743},
    {"ang", 8736},
    {"apos", 39},
    {"aring", 229},
    {"asymp", 8776},
    {"atilde", 227},
    {"auml", 228},
    {"bdquo", 8222},
    {"beta", 946},
    {"brvbar", 166},
    {"bull", 8226},
    {"cap", 8745},
    {"ccedil", 231},
    {"cedil", 184},
    {"cent", 162},
    {"chi", 967},
    {"circ", 710},
    {"clubs", 9827},
    {"cong", 8773},
    {"copy", 169},
    {"crarr", 8629},
    {"cup", 8746},
    {"curren", 164},
    {"dArr", 8659},
    {"dagger", 8224},
    {"darr", 8595},
    {"deg", 176},
    {"delta", 948},
    {"diams", 9830},
    {"divide", 247},
    {"eacute", 233},
    {"ecirc", 234},
    {"egrave", 232},
    {"empty", 8709},
    {"emsp", 8195},
    {"ensp", 8194},
    {"epsilon", 949},
    {"equiv", 8801},
    {"eta", 951},
    {"eth", 240},
    {"euml", 235},
    {"euro", 8364},
    {"exist", 8707},
    {"fnof", 402},
    {"forall", 8704},
    {"frac12", 189},
    {"frac14", 188},
    {"frac34", 190},
    {"frasl", 8260},
    {"gamma", 947},
    {"ge", 8805},
    {"gt", 62},
    {"hArr", 8660},
    {"harr", 8596},
    {"hearts", 9829},
    {"hellip", 8230},
    {"iacute", 237},
    {"icirc", 238},
    {"iexcl", 161},
    {"igrave", 236},
    {"image", 8465},
    {"infin", 8734},
    {"int", 8747},
    {"iota", 953},
    {"iquest", 191},
    {"isin", 8712},
    {"iuml", 239},
    {"kappa", 954},
    {"lArr", 8656},
    {"lambda", 955},
    {"lang", 9001},
    {"laquo", 171},
    {"larr", 8592},
    {"lceil", 8968},
    {"ldquo", 8220},
    {"le", 8804},
    {"lfloor", 8970},
    {"lowast", 8727},
    {"loz", 9674},
    {"lrm", 8206},
    {"lsaquo", 8249},
    {"lsquo", 8216},
    {"lt", 60},
    {"macr", 175},
    {"mdash", 8212},
    {"micro", 181},
    {"middot", 183},
    {"minus", 8722},
    {"mu", 956},
    {"nabla", 8711},
    {"nbsp", 160},
    {"ndash", 8211},
    {"ne", 8800},
    {"ni", 8715},
    {"not", 172},
    {"notin", 8713},
    {"nsub", 8836},
    {"ntilde", 241},
    {"nu", 957},
    {"oacute", 243},
    {"ocirc", 244},
    {"oelig", 339},
    {"ograve", 242},
    {"oline", 8254},
    {"omega", 969},
    {"omicron", 959},
    {"oplus", 8853},
    {"or", 8744},
    {"ordf", 170},
    {"ordm", 186},
    {"oslash", 248},
    {"otilde", 245},
    {"otimes", 8855},
    {"ouml", 246},
    {"para", 182},
    {"part", 8706},
    {"permil", 8240},
    {"perp", 8869},
    {"phi", 966},
    {"pi", 960},
    {"piv", 982},
    {"plusmn", 177},
    {"pound", 163},
    {"prime", 8242},
    {"prod", 8719},
    {"prop", 8733},
    {"psi", 968},
    {"quot", 34},
    {"rArr", 8658},
    {"radic", 8730},
    {"rang", 9002},
    {"raquo", 187},
    {"rarr", 8594},
    {"rceil", 8969},
    {"rdquo", 8221},
    {"real", 8476},
    {"reg", 174},
    {"rfloor", 8971},
    {"rho", 961},
    {"rlm", 8207},
    {"rsaquo", 8250},
    {"rsquo", 8217},
    {"sbquo", 8218},
    {"scaron", 353},
    {"sdot", 8901},
    {"sect", 167},
    {"shy", 173},
    {"sigma", 963},
    {"sigmaf", 962},
    {"sim", 8764},
    {"spades", 9824},
    {"sub", 8834},
    {"sube", 8838},
    {"sum", 8721},
    {"sup", 8835},
    {"sup1", 185},
    {"sup2", 178},
    {"sup3", 179},
    {"supe", 8839},
    {"szlig", 223},
    {"tau", 964},
    {"there4", 8756},
    {"theta", 952},
    {"thetasym", 977},
    {"thinsp", 8201},
    {"thorn", 254},
    {"tilde", 732},
    {"times", 215},
    {"trade", 8482},
    {"uArr", 8657},
    {"uacute", 250},
    {"uarr", 8593},
    {"ucirc", 251},
    {"ugrave", 249},
    {"uml", 168},
    {"upsih", 978},
    {"upsilon", 965},
    {"uuml", 252},
    {"weierp", 8472},
    {"xi", 958},
    {"yacute", 253},
    {"yen", 165},
    {"yuml", 255},
    {"zeta", 950},
    {"zwj", 8205},
    {"zwnj", 8204},
};

/* What browsers show for the numbers of the C1 controls (WHATWG HTML). */
static const uint16_t windows[32] = {0x20ac, 0x81, 0x201a, 0x192, 0x201e,
    0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d,
    0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc,
    0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e, 0x178};

uint32_t
html_windows(uint32_t code)
{
	return code >= 0x80 && code < 0xa0 ? windows[code - 0x80] : code;
}

/* "&#123;" or "&#x7b;", the final ';' may lack; 0 when there is no digit. */
static size_t
read_number(struct span text, uint32_t *ret_code)
{
	bool hex = text.len > 2 && (text.p[2] | 0x20) == 'x';
	size_t start = hex ? 3 : 2, i = start;
	uint32_t code = 0;

	if (!span_starts(text, SPAN("&#")))
		return 0;
	for (; i < text.len; i++) {
		int digit = ascii_hex(text.p[i]);
		if (digit < 0 || (!hex && digit > 9))
			break;
		/* Past the last code point the digits no longer matter. */
		if (code <= 0x10ffff)
			code = code * (hex ? 16 : 10) + (uint32_t)digit;
	}
	*ret_code = code;
	if (i == start)
		return 0;
	return i < text.len && text.p[i] == ';' ? i + 1 : i;
}

/* A numeric reference; two surrogates make one character. */
static size_t
number_reference(struct span text, uint32_t *ret_code)
{
	uint32_t code, low;
	size_t n = read_number(text, &code);

	if (n == 0 || code == 0 || code > 0x10ffff || (code & 0xfffe) == 0xfffe)
		return 0;
	if (code >= 0xd800 && code < 0xdc00) {
		size_t more = read_number(span_skip(text, n), &low);
		if (more && low >= 0xdc00 && low < 0xe000) {
			*ret_code =
			    0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			return n + more;
		}
	}
	if ((code >= 0xd800 && code < 0xe000) ||
	    (code >= 0xfdd0 && code < 0xfdf0))
		code = 0xfffd;
	*ret_code = code;
	return n;
}

static const struct entity *
find_entity(struct span name)
{
	size_t low = 0, high = sizeof entities / sizeof *entities;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = span_cmp(name, span_of(entities[middle].name));
		if (c == 0)
			return &entities[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

size_t
html_entity(struct span text, uint32_t *ret_code)
{
	const struct entity *e;
	size_t n = 1;

	if (text.len > 2 && text.p[1] == '#')
		return number_reference(text, ret_code);
	while (n < text.len && n <= NAME_LONGEST && ascii_is_alnum(text.p[n]))
		n++;
	if (n < text.len && text.p[n] == ';') {
		e = find_entity(span_make(text.p + 1, n - 1));
		if (e) {
			*ret_code = e->code;
			return n + 1;
		}
	}
	/* The names of Latin-1 may lack the ';' and letters may follow. */
	for (; n > 2; n--) {
		e = find_entity(span_make(text.p + 1, n - 1));
		if (e && e->code < 0x100) {
			*ret_code = e->code;
			return n;
		}
	}
	return 0;
}

void
html_decode(struct buf *out, struct span text, struct html_decoded *ret_met)
{
	*ret_met = (struct html_decoded){0};
	while (text.len) {
		size_t at = span_find_char(text, '&');
		uint32_t code = 0;
		if (at == SPAN_NPOS) {
			buf_add_span(out, text);
			return;
		}
		buf_add(out, text.p, at);
		text = span_skip(text, at);
		size_t n = html_entity(text, &code);
		if (n)
			buf_add_utf8(out, code);
		else
			buf_add_char(out, '&');
		ret_met->wide |= code > 0xff;
		ret_met->c1 |= code >= 0x80 && code < 0xa0;
		text = span_skip(text, n ? n : 1);
	}
}
