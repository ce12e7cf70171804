#include "filter/mail/html_internal.h"

/*
 * Which text a reader can see: colours, sizes and `display` along the open
 * tags that carry style (rule language, section 3.7). A fixed stack; tags past
 * its depth are counted, so that their end tags match.
 */

#define WHITE 0xffffffu
#define BLACK 0x000000u
#define NEAR 144 /* square of the distance below which colours look the same */

static const char *const styled[] = {"a", "basefont", "big", "body", "div",
    "font", "marquee", "p", "small", "span", "table", "td", "th", "tr"};

static const struct {
	const char *name;
	uint32_t rgb;
} colours[] = {
    {"aqua", 0x00ffff},
    {"black", 0x000000},
    {"blue", 0x0000ff},
    {"brown", 0xa52a2a},
    {"cyan", 0x00ffff},
    {"darkblue", 0x00008b},
    {"darkgray", 0xa9a9a9},
    {"darkgreen", 0x006400},
    {"darkred", 0x8b0000},
    {"fuchsia", 0xff00ff},
    {"gold", 0xffd700},
    {"gray", 0x808080},
    {"green", 0x008000},
    {"grey", 0x808080},
    {"ivory", 0xfffff0},
    {"lightblue", 0xadd8e6},
    {"lightgray", 0xd3d3d3},
    {"lightgrey", 0xd3d3d3},
    {"lightyellow", 0xffffe0},
    {"lime", 0x00ff00},
    {"linen", 0xfaf0e6},
    {"magenta", 0xff00ff},
    {"maroon", 0x800000},
    {"navy", 0x000080},
    {"olive", 0x808000},
    {"orange", 0xffa500},
    {"pink", 0xffc0cb},
    {"purple", 0x800080},
    {"red", 0xff0000},
    {"royalblue", 0x4169e1},
    {"silver", 0xc0c0c0},
    {"snow", 0xfffafa},
    {"teal", 0x008080},
    {"white", 0xffffff},
    {"whitesmoke", 0xf5f5f5},
    {"yellow", 0xffff00},
};

static bool
is_styled(struct span tag)
{
	for (size_t i = 0; i < sizeof styled / sizeof *styled; i++)
		if (span_caseis(tag, styled[i]))
			return true;
	return false;
}

/* --- values ----------------------------------------------------------------------- */

/* "#rgb", "#rrggbb", "rrggbb", "rgb(r,g,b)" or a name; false: no colour. */
static bool
parse_colour(struct span text, uint32_t *ret)
{
	uint32_t rgb = 0;
	struct span hex;

	text = span_trim(text);
	for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
		if (span_caseis(text, colours[i].name)) {
			*ret = colours[i].rgb;
			return true;
		}
	}
	if (span_casestarts(text, SPAN("rgb("))) {
		struct span rest = span_skip(text, 4);
		for (int i = 0; i < 3; i++) {
			struct span one = span_trim(span_cut(&rest, ','));
			uint64_t value = 0;
			size_t n = 0;
			while (n < one.len && ascii_is_digit(one.p[n]))
				n++;
			if (span_to_u64(span_head(one, n), &value))
				return false;
			rgb = rgb << 8 | (uint32_t)(value > 255 ? 255 : value);
		}
		*ret = rgb;
		return true;
	}
	hex = span_starts(text, SPAN("#")) ? span_skip(text, 1) : text;
	if (hex.len != 3 && hex.len < 6)
		return false;
	bool three = hex.len == 3;
	if (!three)
		hex = span_skip(hex, hex.len - 6);
	for (size_t i = 0; i < hex.len; i++) {
		int digit = ascii_hex(hex.p[i]);
		if (digit < 0)
			return false;
		rgb = rgb << 4 | (uint32_t)digit;
		if (three)
			rgb = rgb << 4 | (uint32_t)digit;
	}
	*ret = rgb;
	return true;
}

static void
set_colour(struct html_style *style, struct span value, uint32_t *to)
{
	if (span_casefind(value, SPAN("transparent"), 0) != SPAN_NPOS ||
	    span_casefind(value, SPAN("inherit"), 0) != SPAN_NPOS)
		return;
	if (!parse_colour(value, to))
		style->bad_colour = true;
}

/* True for a CSS font size of at most one pixel or point. */
static bool
is_tiny(struct span value)
{
	size_t n = 0;
	uint64_t number;

	value = span_trim(value);
	while (n < value.len && ascii_is_digit(value.p[n]))
		n++;
	if (n == 0 || span_to_u64(span_head(value, n), &number) || number > 1)
		return false;
	struct span unit = span_trim(span_skip(value, n));
	/* "1em" and "1.2px" are ordinary sizes. */
	return number == 0
		   ? !span_starts(unit, SPAN("."))
		   : span_casestarts(unit, SPAN("px")) ||
			 span_casestarts(unit, SPAN("pt")) || unit.len == 0;
}

static void
apply_css(struct html_style *style, struct span css)
{
	while (css.p) {
		struct span value = span_cut(&css, ';');
		struct span name = span_trim(span_cut(&value, ':'));
		struct span word = span_trim(value);
		if (span_caseis(name, "color"))
			set_colour(style, word, &style->fg);
		else if (span_caseis(name, "background-color"))
			set_colour(style, word, &style->bg);
		else if (span_caseis(name, "display"))
			style->hidden |= span_casestarts(word, SPAN("none"));
		else if (span_caseis(name, "visibility"))
			style->hidden |= span_casestarts(word, SPAN("hidden"));
		else if (span_caseis(name, "font-size"))
			style->hidden |= is_tiny(word);
	}
}

static void
apply_attributes(struct html_style *style, const struct html_tag *tag)
{
	bool body = span_caseis(tag->name, "body");
	struct span fg = html_tag_get(tag, body ? "text" : "color");
	struct span bg = html_tag_get(tag, "bgcolor");
	struct span css = html_tag_get(tag, "style");
	struct span size = html_tag_get(tag, "size");

	if (fg.p)
		set_colour(style, fg, &style->fg);
	if (bg.p)
		set_colour(style, bg, &style->bg);
	if (size.p && span_caseis(tag->name, "font"))
		style->hidden |= is_tiny(size);
	if (css.p)
		apply_css(style, css);
}

/* --- the stack --------------------------------------------------------------------- */

void
html_styles_init(struct html_styles *styles)
{
	styles->n = 0;
	styles->over = 0;
}

static struct html_style
current(const struct html_styles *styles)
{
	if (styles->n)
		return styles->stack[styles->n - 1].style;
	return (struct html_style){.fg = BLACK, .bg = WHITE};
}

static void
pop(struct html_styles *styles, struct span tag)
{
	if (styles->over) {
		styles->over--;
		return;
	}
	for (size_t i = styles->n; i > 0; i--) {
		if (span_caseeq(styles->stack[i - 1].tag, tag)) {
			styles->n = i - 1;
			return;
		}
	}
}

void
html_styles_tag(struct html_styles *styles, const struct html_tag *tag)
{
	struct html_style style;

	if (!is_styled(tag->name))
		return;
	if (tag->end) {
		pop(styles, tag->name);
		return;
	}
	if (styles->n == HTML_STYLE_DEPTH) {
		styles->over++;
		return;
	}
	style = current(styles);
	apply_attributes(&style, tag);
	styles->stack[styles->n].tag = tag->name;
	styles->stack[styles->n++].style = style;
}

static uint32_t
channel_distance(uint32_t a, uint32_t b, unsigned shift)
{
	uint32_t x = a >> shift & 255, y = b >> shift & 255;

	return (x > y ? x - y : y - x);
}

/* Distance with the weights of brightness (0.2126, 0.7152, 0.0722). */
static bool
look_the_same(uint32_t a, uint32_t b)
{
	uint64_t r = channel_distance(a, b, 16);
	uint64_t g = channel_distance(a, b, 8);
	uint64_t blue = channel_distance(a, b, 0);
	uint64_t weighted = (2126 * r * 2126 * r + 7152 * g * 7152 * g +
			     722 * blue * 722 * blue);

	return weighted < (uint64_t)NEAR * 10000 * 10000;
}

bool
html_styles_invisible(const struct html_styles *styles)
{
	struct html_style style = current(styles);

	return style.hidden || style.bad_colour ||
	       look_the_same(style.fg, style.bg);
}
