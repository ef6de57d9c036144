// libs: base
/* First byte: flags. Then the pattern up to the first newline; the rest is the text. Searches end, and matches lie in
 * order. */
#include "common/base/buf.h"
#include "common/base/regex.h"
#include "common/base/unicode.h"
#include "tests/fuzz/fuzz.h"

static void search(const struct regex *r, struct str subject)
{
	struct regex_match m;
	bool found = true;
	size_t at = 0;
	for (unsigned times = 0; times < 20; times++) {
		if (regex_find(r, subject, at, &found, &m, NULL) != ERR_OK || !found)
			return;
		check(m.count >= 1 && m.count <= REGEX_GROUPS_MAX);
		for (size_t i = 0; i < m.count; i++)
			if (m.group[i].data)
				check(m.group[i].data >= subject.data &&
				      m.group[i].data + m.group[i].len <= subject.data + subject.len);
		size_t next = regex_after(subject, &m);
		check(next > at || m.group[0].data + m.group[0].len <= subject.data + at);
		at = next > at ? next : subject.len + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	struct str rest = str_make(data + 1, len - 1), pattern = STR("");
	struct regex *r = NULL;
	struct buf subject;
	(void)str_split(&rest, '\n', &pattern); /* without a newline the text is empty */
	if (regex_compile(pattern, data[0] & 7u, &r, NULL) != ERR_OK)
		return 0;
	buf_init(&subject, 4 * len + 64);
	check(unicode_repair(rest, &subject, NULL));
	search(r, buf_str(&subject));
	buf_done(&subject);
	regex_free(r);
	return 0;
}
