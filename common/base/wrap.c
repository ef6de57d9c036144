#include "common/base/wrap.h"
#include "common/base/unicode.h"

enum { DEEPER = 4, NARROWEST = 20 };

/* How a line may be broken, best first. */
enum cut { CUT_NONE, CUT_SPACE, CUT_MARK, CUT_GAP, CUT_BAR };

struct place { /* where a line ends and where its rest begins */
	enum cut cut;
	size_t end, rest;
};

/* Past a colour sequence that stands at `at`; the same place when there is none. */
static size_t skip_colour(struct str s, size_t at)
{
	if (at + 1 >= s.len || s.data[at] != '\x1b' || s.data[at + 1] != '[')
		return at;
	size_t end = at + 2;
	while (end < s.len && ((s.data[end] >= '0' && s.data[end] <= '9') || s.data[end] == ';'))
		end++;
	return end < s.len && s.data[end] == 'm' ? end + 1 : at;
}

static size_t past_spaces(struct str s, size_t at)
{
	while (at < s.len && s.data[at] == ' ')
		at++;
	return at;
}

/* The place at the space `at`. */
static struct place place_at(struct str s, size_t at)
{
	struct place p = { CUT_SPACE, at, past_spaces(s, at) };
	char before = at ? s.data[at - 1] : ' ';
	if (before == '|')
		p.cut = CUT_BAR;
	else if (p.rest - p.end >= 2)
		p.cut = CUT_GAP;
	else if (before == ';' || before == ',')
		p.cut = CUT_MARK;
	return p;
}

struct places { /* the last place of each kind within the columns, and the first one behind them */
	struct place last[CUT_BAR + 1], behind;
	unsigned column[CUT_BAR + 1]; /* where it is */
};

static void note_place(struct places *all, struct place p, unsigned column, unsigned columns)
{
	if (column <= columns) {
		all->last[p.cut] = p;
		all->column[p.cut] = column;
	} else if (all->behind.cut == CUT_NONE) {
		all->behind = p;
	}
}

/* The best kind that leaves no more than half of the line empty, else the last place of any kind. */
static struct place choose(const struct places *all, unsigned columns)
{
	struct place latest = { CUT_NONE, 0, 0 };
	for (int cut = CUT_BAR; cut > CUT_NONE; cut--) {
		if (all->last[cut].cut && all->column[cut] >= columns / 2)
			return all->last[cut];
		if (all->last[cut].cut && all->last[cut].end > latest.end)
			latest = all->last[cut];
	}
	return latest.cut ? latest : all->behind;
}

/* CUT_NONE: the line is narrow enough, or cannot be broken. */
static struct place find_place(struct str s, unsigned columns, bool commands)
{
	const struct place whole = { CUT_NONE, s.len, s.len };
	struct places all = { .behind = whole };
	size_t begun = past_spaces(s, 0), at = begun;
	unsigned width = (unsigned)begun;
	while (at < s.len) {
		size_t from = skip_colour(s, at);
		uint32_t code;
		if (from != at) {
			at = from;
			continue;
		}
		struct place p = s.data[at] == ' ' ? place_at(s, at) : whole;
		if (p.cut > (commands ? CUT_GAP : CUT_NONE) && p.rest < s.len)
			note_place(&all, p, width, columns);
		if (p.cut)
			at = p.rest;
		else
			(void)unicode_next(s, &at, &code); /* a broken byte counts one column, as it is shown */
		width += unicode_width(str_slice(s, from, at));
	}
	return width <= columns ? whole : choose(&all, columns);
}

static bool put_line(struct str line, unsigned columns, struct buf *out)
{
	size_t indent = MIN_OF(past_spaces(line, 0), (size_t)NARROWEST) + DEEPER;
	bool commands = str_starts(line, STR("next: "));
	if (commands)
		indent = sizeof("next: ") - 1;
	unsigned left = columns;
	for (bool first = true; line.len || first; first = false) {
		struct place p = find_place(line, left, commands);
		if (!first)
			(void)buf_printf(out, "%*s", (int)indent, "");
		(void)(buf_append_str(out, str_slice(line, 0, p.end)) &&
		       buf_append_char(out, '\n')); /* asked at the end */
		line = str_slice(line, p.rest, line.len);
		left = columns > indent + NARROWEST ? columns - (unsigned)indent : NARROWEST;
		if (p.cut == CUT_NONE)
			break;
	}
	return !out->failed;
}

bool wrap_text(struct str text, unsigned columns, struct buf *out)
{
	struct str line;
	while (text.len && str_split(&text, '\n', &line))
		if (!put_line(line, MAX_OF(columns, (unsigned)NARROWEST), out))
			return false;
	return true;
}
