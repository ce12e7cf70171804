#include "filter/mail/html_internal.h"

/*
 * Which text a reader can see: colours, sizes and `display` along the open
 * tags that carry style. Two answers: SpamAssassin's (rule language, section
 * 3.7), which decides about white space in its text and knows some attributes
 * only; and our own, which knows more ways to hide. A fixed stack; tags past
 * its depth are counted, so that their end tags match.
 */

#define SIZE_DEFAULT 3
#define FAR_AWAY 500 /* pixels that put text off any screen */

void
html_styles_init(struct html_styles *styles)
{
	*styles = (struct html_styles){.basefont = SIZE_DEFAULT};
}

static const struct html_style *
current(const struct html_styles *styles)
{
	static const struct html_style plain = {
	    .fg = {HTML_COLOUR_RGB, 0x000000},
	    .bg = {HTML_COLOUR_RGB, 0xffffff},
	    .shown_bg = {HTML_COLOUR_RGB, 0xffffff},
	    .size = SIZE_DEFAULT,
	};

	return styles->n ? &styles->stack[styles->n - 1].style : &plain;
}

/* --- CSS ---------------------------------------------------------------------------- */

/* A length as thousandths of its unit; false when there is no number. */
static bool
read_length(struct span value, int64_t *ret_milli, struct span *ret_unit)
{
	bool negative = span_starts(value, SPAN("-"));
	int64_t milli = 0, scale = 1000;
	size_t i = negative, digits = 0;

	for (; i < value.len; i++) {
		char c = value.p[i];
		if (c == '.' && scale == 1000) {
			scale = 100;
			continue;
		}
		if (!ascii_is_digit(c))
			break;
		digits++;
		if (scale == 1000 && milli < INT32_MAX)
			milli = milli * 10 + (c - '0') * 1000;
		else if (scale < 1000) {
			milli += (c - '0') * scale;
			scale /= 10;
		}
	}
	*ret_milli = negative ? -milli : milli;
	*ret_unit = span_trim(span_skip(value, i));
	return digits > 0;
}

/* Sizes too small to read: nothing, or at most one pixel or point. */
static bool
is_tiny(struct span value)
{
	struct span unit;
	int64_t milli;

	if (!read_length(value, &milli, &unit) || milli < 0)
		return false;
	return milli == 0 ||
	       (milli <= 1000 && (span_casestarts(unit, SPAN("px")) ||
				     span_casestarts(unit, SPAN("pt"))));
}

static bool
is_zero(struct span value)
{
	struct span unit;
	int64_t milli;

	return read_length(value, &milli, &unit) && milli == 0;
}

static bool
is_off_screen(struct span value)
{
	struct span unit;
	int64_t milli;

	return read_length(value, &milli, &unit) &&
	       milli <= -(int64_t)FAR_AWAY * 1000;
}

/* What only we call hidden. */
static bool
hides(struct span name, struct span value)
{
	if (span_caseis(name, "font-size"))
		return is_tiny(value);
	if (span_caseis(name, "opacity") || span_caseis(name, "max-height") ||
	    span_caseis(name, "max-width"))
		return is_zero(value);
	if (span_caseis(name, "text-indent") || span_caseis(name, "left") ||
	    span_caseis(name, "top") || span_caseis(name, "margin-left"))
		return is_off_screen(value);
	return span_caseis(name, "mso-hide") && span_caseis(value, "all");
}

static void
apply_property(struct html_style *style, struct span name, struct span value)
{
	struct html_colour colour;

	if (span_caseis(name, "color")) {
		if (html_colour_css(value, &colour))
			style->fg = colour;
	} else if (span_caseis(name, "background-color")) {
		if (html_colour_css(value, &colour))
			style->bg = style->shown_bg = colour;
	} else if (span_is(name, "background")) {
		if (html_colour_layers(value, &colour))
			style->bg = style->shown_bg = colour;
	} else if (span_is(name, "display")) {
		style->none = span_caseis(value, "none");
	} else if (span_is(name, "visibility")) {
		style->invisible = span_caseis(value, "hidden");
	}
	style->hidden |=
	    hides(name, value) || (span_caseis(name, "display") &&
				      span_casestarts(value, SPAN("none")));
}

static void
apply_css(
    struct html_style *style, struct span css, const struct html_style *parent)
{
	while (css.p) {
		struct span value = span_cut(&css, ';');
		struct span name = span_trim(span_cut(&value, ':'));
		struct span word = span_trim(value);
		if (name.len && word.len)
			apply_property(style, name, word);
	}
	if (style->bg.kind == HTML_COLOUR_TRANSPARENT) {
		style->bg = parent->bg;
		style->shown_bg = parent->shown_bg;
	}
	if (style->fg.kind == HTML_COLOUR_TRANSPARENT) {
		style->fg = style->bg;
		style->hidden = true;
	}
}

/* --- attributes --------------------------------------------------------------------- */

/* The number of <font size=...>; false when there is none. */
static bool
font_size(struct span value, int basefont, int *ret)
{
	bool plus, minus;
	int size = 0;
	size_t i;

	value = span_trim(value);
	plus = span_starts(value, SPAN("+"));
	minus = span_starts(value, SPAN("-"));
	i = plus || minus;
	if (i >= value.len || !ascii_is_digit(value.p[i]))
		return false;
	for (; i < value.len && ascii_is_digit(value.p[i]); i++)
		if (size < 10000)
			size = size * 10 + (value.p[i] - '0');
	*ret = minus ? basefont - size : plus ? basefont + size : size;
	return true;
}

static void
apply_attributes(struct html_styles *styles, struct html_style *style,
    const struct html_tag *tag, const struct html_style *parent)
{
	bool body = span_caseis(tag->name, "body");
	bool font = span_caseis(tag->name, "font") ||
		    span_caseis(tag->name, "basefont");
	struct span fg = tag->attrs[body ? HTML_TEXT : HTML_COLOR];
	struct span bg = tag->attrs[HTML_BGCOLOR];
	struct span css = tag->attrs[HTML_STYLE];

	if (fg.p && (body || font))
		style->fg = html_colour(fg);
	if (bg.p)
		style->shown_bg = html_colour(bg);
	if (font && tag->attrs[HTML_SIZE].p)
		(void)font_size(
		    tag->attrs[HTML_SIZE], styles->basefont, &style->size);
	if (!css.p)
		return;
	if (!body && !font) {
		apply_css(style, css, parent);
		return;
	}
	/* SpamAssassin does not look at the style of these tags. */
	struct html_style shown = *style;
	apply_css(&shown, css, parent);
	style->hidden |= shown.hidden || shown.none || shown.invisible;
	style->shown_bg = shown.shown_bg;
}

/* --- the stack ---------------------------------------------------------------------- */

/* <th> is a <td>. */
static const char *
stack_name(const struct html_tag *tag)
{
	return span_caseis(tag->name, "th") ? "td" : tag->info->name;
}

static bool
is_tag(const struct html_styles *styles, size_t i, const char *name)
{
	return strcmp(styles->stack[i].tag, name) == 0;
}

/* The position above the innermost open `name`; 0 when there is none. */
static size_t
find_open(const struct html_styles *styles, const char *name)
{
	for (size_t i = styles->n; i > 0; i--)
		if (is_tag(styles, i - 1, name))
			return i;
	return 0;
}

/* A cell or row ends the one before. */
static void
close_before(struct html_styles *styles, const char *name)
{
	bool row = strcmp(name, "tr") == 0;

	if ((!row && strcmp(name, "td") != 0) || !find_open(styles, name))
		return;
	while (styles->n) {
		size_t top = styles->n - 1;
		if (!is_tag(styles, top, "font") &&
		    !is_tag(styles, top, "td") &&
		    !(row && is_tag(styles, top, "tr")))
			return;
		styles->n--;
	}
}

static void
close_tag(struct html_styles *styles, const char *name)
{
	if (strcmp(name, "body") == 0)
		return; /* browsers show what follows as before */
	if (styles->over) {
		styles->over--;
		return;
	}
	size_t open = find_open(styles, name);
	if (open)
		styles->n = open - 1;
}

void
html_styles_tag(struct html_styles *styles, const struct html_tag *tag)
{
	struct html_style style, parent;

	if (!tag->info || !tag->info->styled)
		return;
	const char *name = stack_name(tag);
	if (tag->end) {
		close_tag(styles, name);
		return;
	}
	if (strcmp(name, "basefont") == 0 &&
	    font_size(tag->attrs[HTML_SIZE], 0, &styles->basefont))
		return;
	close_before(styles, name);
	if (styles->n == HTML_STYLE_DEPTH) {
		styles->over++;
		return;
	}
	style = parent = *current(styles);
	if (strcmp(name, "big") == 0)
		style.size++;
	else if (strcmp(name, "small") == 0)
		style.size--;
	else
		apply_attributes(styles, &style, tag, &parent);
	styles->stack[styles->n].tag = name;
	styles->stack[styles->n++].style = style;
}

bool
html_styles_invisible(const struct html_styles *styles)
{
	const struct html_style *style = current(styles);

	return html_colour_near(style->fg, style->bg) ||
	       style->fg.kind == HTML_COLOUR_INVALID ||
	       style->bg.kind == HTML_COLOUR_INVALID || style->size <= 1 ||
	       style->none || style->invisible;
}

bool
html_styles_hidden(const struct html_styles *styles)
{
	const struct html_style *style = current(styles);

	return style->hidden || style->none || style->invisible ||
	       (style->fg.kind == HTML_COLOUR_RGB &&
		   html_colour_near(style->fg, style->shown_bg));
}
