#include "coordinator/http/router.h"

bool router_matches(const char *pattern, struct str path, struct router_match *ret_match)
{
	struct str wanted = str_from(pattern), piece, segment;
	struct router_match m = { .count = 0 };
	for (;;) {
		bool more_wanted = str_split(&wanted, '/', &piece), more_path = str_split(&path, '/', &segment);
		if (more_wanted != more_path)
			return false;
		if (!more_wanted)
			break;
		if (piece.len >= 2 && piece.data[0] == '{') {
			if (segment.len == 0 || m.count == ROUTER_PARAMS_MAX)
				return false;
			m.params[m.count++] = segment;
		} else if (!str_eq(piece, segment)) {
			return false;
		}
	}
	*ret_match = m;
	return true;
}

bool router_id(struct str text, uint64_t *ret_id)
{
	return str_to_u64(text, ret_id) && *ret_id > 0 && *ret_id <= INT64_MAX;
}
