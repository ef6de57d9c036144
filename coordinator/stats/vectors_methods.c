#include "coordinator/stats/vectors.h"
#include "coordinator/stats/vectors_tables.h"
#include <string.h>

static const struct vectors_method *const tables[] = { vectors_means };

const struct vectors_method *vectors_input_method(struct str name)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct vectors_method *m = tables[t]; m->name; m++)
			if (str_eq_c(name, m->name))
				return m;
	return NULL;
}

static size_t names_before(const char *name)
{
	size_t n = 0;
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct vectors_method *m = tables[t]; m->name; m++)
			n += strcmp(m->name, name) < 0;
	return n;
}

const char *vectors_method_name(size_t at, unsigned *ret_version)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++) {
		for (const struct vectors_method *m = tables[t]; m->name; m++) {
			if (names_before(m->name) != at)
				continue;
			*ret_version = m->version;
			return m->name;
		}
	}
	return NULL;
}
