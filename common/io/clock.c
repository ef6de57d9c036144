#include "common/io/clock.h"
#include "common/base/check.h"
#include <string.h>
#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec t;
	check(clock_gettime(id, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t clock_now_ms(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000000U;
}

uint64_t clock_now_us(void)
{
	return read_ns(CLOCK_MONOTONIC) / 1000U;
}

int64_t clock_wall_ms(void)
{
	return (int64_t)(read_ns(CLOCK_REALTIME) / 1000000U);
}

int64_t clock_wall_us(void)
{
	return (int64_t)(read_ns(CLOCK_REALTIME) / 1000U);
}

static const int64_t first_ms = -62167219200000; /* 0000-01-01 */
static const int64_t last_ms = 253402300799999;  /* 9999-12-31 */

void clock_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
	wall_ms = MIN_OF(MAX_OF(wall_ms, first_ms), last_ms);
	int64_t ms = wall_ms % 1000;
	if (ms < 0)
		ms += 1000;
	time_t seconds = (time_t)((wall_ms - ms) / 1000);
	struct tm tm;
	check(gmtime_r(&seconds, &tm) != NULL);
	char text[80]; /* room for what the compiler believes of seven ints */
	(void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
	               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)ms);
	memcpy(out, text, CLOCK_TEXT_BYTES - 1);
	out[CLOCK_TEXT_BYTES - 1] = '\0';
}

/* Takes `digits` digits off the front of *s as a number within [low, high]. */
static bool take_number(struct str *s, size_t digits, int low, int high, int *ret_value)
{
	uint64_t value;
	if (s->len < digits || !str_to_u64(str_slice(*s, 0, digits), &value))
		return false;
	*s = str_slice(*s, digits, s->len);
	*ret_value = (int)value;
	return *ret_value >= low && *ret_value <= high;
}

static bool take_char(struct str *s, const char *any_of)
{
	if (s->len == 0 || s->data[0] == '\0' || !strchr(any_of, s->data[0]))
		return false;
	*s = str_slice(*s, 1, s->len);
	return true;
}

static bool take_fraction(struct str *s, int *ret_ms)
{
	*ret_ms = 0;
	if (!take_char(s, "."))
		return true;
	int digits = 0;
	for (; s->len && s->data[0] >= '0' && s->data[0] <= '9'; digits++) {
		static const int weight[] = { 100, 10, 1 };
		if (digits < 3)
			*ret_ms += weight[digits] * (s->data[0] - '0');
		*s = str_slice(*s, 1, s->len);
	}
	return digits >= 1 && digits <= 9;
}

static bool take_offset(struct str *s, int *ret_minutes)
{
	int sign = 0, hours, minutes;
	*ret_minutes = 0;
	if (take_char(s, "Zz"))
		return true;
	if (take_char(s, "+"))
		sign = 1;
	else if (take_char(s, "-"))
		sign = -1;
	if (sign == 0 || !take_number(s, 2, 0, 23, &hours) || !take_char(s, ":") || !take_number(s, 2, 0, 59, &minutes))
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool clock_from_text(struct str text, int64_t *ret_wall_ms)
{
	int year, month, day, hour, minute, second, ms, offset_minutes;
	if (!take_number(&text, 4, 0, 9999, &year) || !take_char(&text, "-") || !take_number(&text, 2, 1, 12, &month) ||
	    !take_char(&text, "-") || !take_number(&text, 2, 1, days_in_month(year, month), &day) ||
	    !take_char(&text, "Tt ") || !take_number(&text, 2, 0, 23, &hour) || !take_char(&text, ":") ||
	    !take_number(&text, 2, 0, 59, &minute) || !take_char(&text, ":") ||
	    !take_number(&text, 2, 0, 60, &second) || !take_fraction(&text, &ms) ||
	    !take_offset(&text, &offset_minutes) || text.len != 0)
		return false;
	struct tm tm = { .tm_year = year - 1900,
		         .tm_mon = month - 1,
		         .tm_mday = day,
		         .tm_hour = hour,
		         .tm_min = minute - offset_minutes,
		         .tm_sec = second };
	*ret_wall_ms = (int64_t)timegm(&tm) * 1000 + ms;
	return true;
}
