#include "filter/mail/html_internal.h"

/*
 * Colours of HTML attributes and CSS values, read as SpamAssassin reads them
 * (rule language, section 3.7): what it calls invalid matters to rules, so
 * this is no CSS parser.
 */

#define NEAR 144 /* square of the distance below which colours look the same */
#define NAME_LONGEST 20

/* The names of CSS Color Module Level 3, sorted. */
static const struct {
	const char *name;
	uint32_t rgb;
} names[] = {
    {"aliceblue", 0xf0f8ff},
    {"antiquewhite", 0xfaebd7},
    {"aqua", 0x00ffff},
    {"aquamarine", 0x7fffd4},
    {"azure", 0xf0ffff},
    {"beige", 0xf5f5dc},
    {"bisque", 0xffe4c4},
    {"black", 0x000000},
    {"blanchedalmond", 0xffebcd},
    {"blue", 0x0000ff},
    {"blueviolet", 0x8a2be2},
    {"brown", 0xa52a2a},
    {"burlywood", 0xdeb887},
    {"cadetblue", 0x5f9ea0},
    {"chartreuse", 0x7fff00},
    {"chocolate", 0xd2691e},
    {"coral", 0xff7f50},
    {"cornflowerblue", 0x6495ed},
    {"cornsilk", 0xfff8dc},
    {"crimson", 0xdc143c},
    {"cyan", 0x00ffff},
    {"darkblue", 0x00008b},
    {"darkcyan", 0x008b8b},
    {"darkgoldenrod", 0xb8860b},
    {"darkgray", 0xa9a9a9},
    {"darkgreen", 0x006400},
    {"darkgrey", 0xa9a9a9},
    {"darkkhaki", 0xbdb76b},
    {"darkmagenta", 0x8b008b},
    {"darkolivegreen", 0x556b2f},
    {"darkorange", 0xff8c00},
    {"darkorchid", 0x9932cc},
    {"darkred", 0x8b0000},
    {"darksalmon", 0xe9967a},
    {"darkseagreen", 0x8fbc8f},
    {"darkslateblue", 0x483d8b},
    {"darkslategray", 0x2f4f4f},
    {"darkslategrey", 0x2f4f4f},
    {"darkturquoise", 0x00ced1},
    {"darkviolet", 0x9400d3},
    {"deeppink", 0xff1493},
    {"deepskyblue", 0x00bfff},
    {"dimgray", 0x696969},
    {"dimgrey", 0x696969},
    {"dodgerblue", 0x1e90ff},
    {"firebrick", 0xb22222},
    {"floralwhite", 0xfffaf0},
    {"forestgreen", 0x228b22},
    {"fuchsia", 0xff00ff},
    {"gainsboro", 0xdcdcdc},
    {"ghostwhite", 0xf8f8ff},
    {"gold", 0xffd700},
    {"goldenrod", 0xdaa520},
    {"gray", 0x808080},
    {"green", 0x008000},
    {"greenyellow", 0xadff2f},
    {"grey", 0x808080},
    {"honeydew", 0xf0fff0},
    {"hotpink", 0xff69b4},
    {"indianred", 0xcd5c5c},
    {"indigo", 0x4b0082},
    {"ivory", 0xfffff0},
    {"khaki", 0xf0e68c},
    {"lavender", 0xe6e6fa},
    {"lavenderblush", 0xfff0f5},
    {"lawngreen", 0x7cfc00},
    {"lemonchiffon", 0xfffacd},
    {"lightblue", 0xadd8e6},
    {"lightcoral", 0xf08080},
    {"lightcyan", 0xe0ffff},
    {"lightgoldenrodyellow", 0xfafad2},
    {"lightgray", 0xd3d3d3},
    {"lightgreen", 0x90ee90},
    {"lightgrey", 0xd3d3d3},
    {"lightpink", 0xffb6c1},
    {"lightsalmon", 0xffa07a},
    {"lightseagreen", 0x20b2aa},
    {"lightskyblue", 0x87cefa},
    {"lightslategray", 0x778899},
    {"lightslategrey", 0x778899},
    {"lightsteelblue", 0xb0c4de},
    {"lightyellow", 0xffffe0},
    {"lime", 0x00ff00},
    {"limegreen", 0x32cd32},
    {"linen", 0xfaf0e6},
    {"magenta", 0xff00ff},
    {"maroon", 0x800000},
    {"mediumaquamarine", 0x66cdaa},
    {"mediumblue", 0x0000cd},
    {"mediumorchid", 0xba55d3},
    {"mediumpurple", 0x9370db},
    {"mediumseagreen", 0x3cb371},
    {"mediumslateblue", 0x7b68ee},
    {"mediumspringgreen", 0x00fa9a},
    {"mediumturquoise", 0x48d1cc},
    {"mediumvioletred", 0xc71585},
    {"midnightblue", 0x191970},
    {"mintcream", 0xf5fffa},
    {"mistyrose", 0xffe4e1},
    {"moccasin", 0xffe4b5},
    {"navajowhite", 0xffdead},
    {"navy", 0x000080},
    {"oldlace", 0xfdf5e6},
    {"olive", 0x808000},
    {"olivedrab", 0x6b8e23},
    {"orange", 0xffa500},
    {"orangered", 0xff4500},
    {"orchid", 0xda70d6},
    {"palegoldenrod", 0xeee8aa},
    {"palegreen", 0x98fb98},
    {"paleturquoise", 0xafeeee},
    {"palevioletred", 0xdb7093},
    {"papayawhip", 0xffefd5},
    {"peachpuff", 0xffdab9},
    {"peru", 0xcd853f},
    {"pink", 0xffc0cb},
    {"plum", 0xdda0dd},
    {"powderblue", 0xb0e0e6},
    {"purple", 0x800080},
    {"red", 0xff0000},
    {"rosybrown", 0xbc8f8f},
    {"royalblue", 0x4169e1},
    {"saddlebrown", 0x8b4513},
    {"salmon", 0xfa8072},
    {"sandybrown", 0xf4a460},
    {"seagreen", 0x2e8b57},
    {"seashell", 0xfff5ee},
    {"sienna", 0xa0522d},
    {"silver", 0xc0c0c0},
    {"skyblue", 0x87ceeb},
    {"slateblue", 0x6a5acd},
    {"slategray", 0x708090},
    {"slategrey", 0x708090},
    {"snow", 0xfffafa},
    {"springgreen", 0x00ff7f},
    {"steelblue", 0x4682b4},
    {"tan", 0xd2b48c},
    {"teal", 0x008080},
    {"thistle", 0xd8bfd8},
    {"tomato", 0xff6347},
    {"turquoise", 0x40e0d0},
    {"violet", 0xee82ee},
    {"wheat", 0xf5deb3},
    {"white", 0xffffff},
    {"whitesmoke", 0xf5f5f5},
    {"yellow", 0xffff00},
    {"yellowgreen", 0x9acd32},
};

static bool
find_name(struct span text, uint32_t *ret)
{
	size_t low = 0, high = sizeof names / sizeof *names;

	if (text.len > NAME_LONGEST)
		return false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = html_compare(text, names[middle].name);
		if (c == 0) {
			*ret = names[middle].rgb;
			return true;
		}
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Decimal digits at the front of `*s`, taken off; false when there are none.
 * Large numbers count as 255 does. */
static bool
take_number(struct span *s, uint32_t *ret)
{
	size_t n = 0;
	uint32_t value = 0;

	for (; n < s->len && ascii_is_digit(s->p[n]); n++)
		if (value < 100000)
			value = value * 10 + (uint32_t)(s->p[n] - '0');
	*s = span_skip(*s, n);
	*ret = value;
	return n > 0;
}

static uint32_t
clamp(uint32_t value)
{
	return value > 255 ? 255 : value;
}

/* "rgb(1, 2, 3)" and "rgb(1%, 2%, 3%)" anywhere in the text. */
static bool
read_rgb(struct span text, uint32_t *ret)
{
	size_t at = span_casefind(text, SPAN("rgb("), 0);
	uint32_t rgb = 0, value;

	if (at == SPAN_NPOS)
		return false;
	text = span_skip(text, at + 4);
	for (int i = 0; i < 3; i++) {
		if (i)
			text = span_trim_left(text);
		if (!take_number(&text, &value))
			return false;
		if (span_starts(text, SPAN("%"))) {
			text = span_skip(text, 1);
			value = value * 255 / 100;
		}
		if (i == 2)
			text = span_trim_left(text);
		if (!span_starts(text, i == 2 ? SPAN(")") : SPAN(",")))
			return false;
		text = span_skip(text, 1);
		rgb = rgb << 8 | clamp(value);
	}
	*ret = rgb;
	return true;
}

/* "#abc" and longer; false when a byte is neither digit nor '#'. */
static bool
read_hex(struct span text, struct html_colour *ret)
{
	int digits[6] = {0};
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = ascii_hex(text.p[i]);
		if (digit < 0 && text.p[i] != '#')
			return false;
		if (digit >= 0 && n < 6)
			digits[n++] = digit;
	}
	ret->kind = n ? HTML_COLOUR_RGB : HTML_COLOUR_EMPTY;
	ret->rgb = 0;
	/* Up to five digits are a short form of three, filled with zeros. */
	for (size_t i = 0; i < 6; i++)
		ret->rgb = ret->rgb << 4 | (uint32_t)digits[n == 6 ? i : i / 2];
	return true;
}

struct html_colour
html_colour(struct span text)
{
	struct html_colour colour = {.kind = HTML_COLOUR_RGB};

	text = span_trim(text);
	if (find_name(text, &colour.rgb) || read_rgb(text, &colour.rgb))
		return colour;
	if (!span_starts(text, SPAN("#")) || !read_hex(text, &colour))
		colour.kind = HTML_COLOUR_INVALID;
	return colour;
}

/* Three numbers out of what has "rgb" in it, whatever else stands there. */
static uint32_t
loose_rgb(struct span text)
{
	uint32_t rgb = 0;

	for (int i = 0; i < 3; i++) {
		struct span one = span_cut(&text, ',');
		uint32_t value = 0;
		for (size_t k = 0; k < one.len; k++)
			if (ascii_is_digit(one.p[k]) && value < 100000)
				value = value * 10 + (uint32_t)(one.p[k] - '0');
		rgb = rgb << 8 | clamp(value);
	}
	return rgb;
}

bool
html_colour_css(struct span text, struct html_colour *ret)
{
	size_t mark = span_rfind_char(text, '!');

	if (mark != SPAN_NPOS &&
	    span_caseis(span_trim(span_skip(text, mark + 1)), "important"))
		text = span_trim_right(span_head(text, mark));
	if (span_casefind(text, SPAN("rgb"), 0) != SPAN_NPOS)
		*ret = (struct html_colour){HTML_COLOUR_RGB, loose_rgb(text)};
	else if (span_caseis(text, "inherit"))
		return false;
	else if (span_caseis(text, "transparent"))
		*ret = (struct html_colour){HTML_COLOUR_TRANSPARENT, 0};
	else
		*ret = html_colour(text);
	return true;
}

/* The end of the token at `at`: a blank or comma outside of "()", quotes. */
static size_t
token_end(struct span text, size_t at)
{
	bool inside = false;
	char quote = '\0';

	for (; at < text.len; at++) {
		char c = text.p[at];
		if (quote) {
			if (c == quote)
				quote = '\0';
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (inside) {
			if (c == ')')
				return at + 1;
		} else if (c == '(') {
			inside = true;
		} else if (c == ' ' || c == ',') {
			return at;
		}
	}
	return at;
}

bool
html_colour_layers(struct span text, struct html_colour *ret)
{
	bool found = false;

	for (size_t at = 0; at < text.len;) {
		size_t end = token_end(text, at);
		struct html_colour one =
		    html_colour(span_make(text.p + at, end - at));
		if (!found && end > at && one.kind != HTML_COLOUR_INVALID) {
			*ret = one;
			found = true;
		}
		if (end < text.len && text.p[end] == ',' &&
		    span_trim(span_skip(text, end + 1)).len)
			found = false; /* a new layer lies below */
		at = end > at ? end : end + 1;
	}
	return found;
}

static uint64_t
distance(uint32_t a, uint32_t b, unsigned shift, uint64_t weight)
{
	uint32_t x = a >> shift & 255, y = b >> shift & 255;
	uint64_t d = weight * (x > y ? x - y : y - x);

	return d * d;
}

bool
html_colour_near(struct html_colour a, struct html_colour b)
{
	if (a.kind != HTML_COLOUR_RGB || b.kind != HTML_COLOUR_RGB)
		return a.kind == b.kind;
	/* Weights of brightness: 0.2126, 0.7152, 0.0722. */
	return distance(a.rgb, b.rgb, 16, 2126) +
		   distance(a.rgb, b.rgb, 8, 7152) +
		   distance(a.rgb, b.rgb, 0, 722) <
	       (uint64_t)NEAR * 10000 * 10000;
}
