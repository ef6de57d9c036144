#include "coordinator/stats/number.h"
#include "common/base/check.h"
#include <math.h>

struct number number_of(double value)
{
	check(!isnan(value));
	return (struct number){ value, true };
}

struct number number_none(void)
{
	return (struct number){ 0, false };
}

double number_or(struct number n, double fallback)
{
	return n.defined ? n.value : fallback;
}

struct interval interval_of(double low, double high)
{
	check(low <= high);
	return (struct interval){ low, high, true };
}

struct interval interval_none(void)
{
	return (struct interval){ 0, 0, false };
}

struct interval interval_around(double centre, double half_width)
{
	return interval_of(centre - half_width, centre + half_width);
}

struct interval interval_clamp(struct interval i, double low, double high)
{
	if (!i.defined)
		return i;
	return interval_of(fmin(fmax(i.low, low), high), fmin(fmax(i.high, low), high));
}

const char *refusal_name(enum refusal r)
{
	static const char *const names[REFUSAL_COUNT] = {
		"none",   "empty",      "too_few",          "nan_input",  "length_mismatch",
		"domain", "degenerate", "not_identifiable", "separation", "no_convergence",
	};
	return (unsigned)r < REFUSAL_COUNT ? names[r] : "?";
}
