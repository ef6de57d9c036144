#include "worker/outbox/outbox_index.h"
#include "common/base/check.h"
#include "common/base/mem.h"

#define RECORD_NO_MAX (UINT64_C(1) << 62) /* a hundred thousand years at a million a second */

void outbox_index_init(struct outbox_index *x)
{
	*x = (struct outbox_index){ .record_no_next = 1, .record_no_reserved = 1 };
	map_init(&x->answers, sizeof(uint64_t));
	map_init(&x->replayed, sizeof(bool));
}

void outbox_index_done(struct outbox_index *x)
{
	for (size_t i = 0; i < x->part_count; i++)
		mem_free(x->parts[i].slots);
	mem_free(x->parts);
	map_done(&x->answers);
	map_done(&x->replayed);
	*x = (struct outbox_index){ 0 };
}

/* ---- slots ---- */

static size_t first_at_or_above(const struct outbox_part *p, uint64_t record_no)
{
	size_t low = 0, high = p->len;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (p->slots[middle].record_no < record_no)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct outbox_slot *find(const struct outbox_index *x, uint64_t record_no, struct outbox_part **ret_part)
{
	for (size_t i = x->part_count; i-- > 0;) {
		struct outbox_part *p = &x->parts[i];
		size_t at = first_at_or_above(p, record_no);
		if (at < p->len && p->slots[at].record_no == record_no) {
			*ret_part = p;
			return &p->slots[at];
		}
	}
	return NULL;
}

static bool is_sent(const struct outbox_slot *s)
{
	return s->kind != OUTBOX_ANSWER || s->shipped;
}

/* Moves the counters by what this slot is: called before and after each change of it. */
static void count(struct outbox_index *x, struct outbox_part *p, const struct outbox_slot *s, int sign)
{
	if (s->done)
		return;
	size_t one = (size_t)sign; /* wraps for -1, as the sums do */
	p->open += one;
	if (is_sent(s)) {
		x->open_records += one;
		if (!s->loaded) {
			x->unloaded += one;
			p->unloaded += one;
		}
	} else if (!s->covered) {
		x->open_answers += one;
	}
}

static void set_done(struct outbox_index *x, struct outbox_part *p, struct outbox_slot *s, uint64_t now_ms)
{
	count(x, p, s, -1);
	s->done = true;
	s->done_ms = now_ms;
	p->done_ms_max = MAX_OF(p->done_ms_max, now_ms);
	count(x, p, s, +1);
}

static void set_covered(struct outbox_index *x, uint64_t record_no)
{
	struct outbox_part *p;
	struct outbox_slot *s = find(x, record_no, &p);
	if (!s)
		return;
	count(x, p, s, -1);
	s->covered = true;
	count(x, p, s, +1);
}

/* An answer that was written again because its sync had failed: the later one counts. */
static void forget_first_copy(struct outbox_index *x, uint64_t record_no)
{
	struct outbox_part *p;
	struct outbox_slot *s = find(x, record_no, &p);
	if (s && !s->done)
		set_done(x, p, s, 0);
}

static void add_slot(struct outbox_index *x, struct outbox_slot slot)
{
	check(x->part_count > 0);
	struct outbox_part *p = &x->parts[x->part_count - 1];
	check(p->len == 0 || p->slots[p->len - 1].record_no < slot.record_no);
	uint64_t *answer = map_get_u64(&x->answers, slot.ask_id);
	if (slot.kind != OUTBOX_ANSWER && answer)
		set_covered(x, *answer);
	else if (answer)
		forget_first_copy(x, *answer);
	mem_reserve(&p->slots, &p->cap, p->len + 1, sizeof(*p->slots));
	p->slots[p->len] = slot;
	count(x, p, &p->slots[p->len], +1);
	p->len++;
	if (slot.kind == OUTBOX_ANSWER)
		*(uint64_t *)map_put_u64(&x->answers, slot.ask_id, NULL) = slot.record_no;
}

void outbox_index_segment(struct outbox_index *x, uint64_t segment_no)
{
	check(x->part_count == 0 || x->parts[x->part_count - 1].segment_no < segment_no);
	mem_reserve(&x->parts, &x->part_cap, x->part_count + 1, sizeof(*x->parts));
	x->parts[x->part_count++] = (struct outbox_part){ .segment_no = segment_no };
}

/* ---- replay ---- */

enum err_code outbox_index_replay_record(struct outbox_index *x, enum outbox_kind kind, uint64_t record_no,
                                         uint64_t ask_id, uint32_t at, uint32_t len, struct error *reterr)
{
	x->record_no_next = MAX_OF(x->record_no_next, record_no + 1);
	struct outbox_part *p = &x->parts[x->part_count - 1];
	if (p->len > 0 && p->slots[p->len - 1].record_no >= record_no)
		return error_set(reterr, ERR_CORRUPT, "record numbers that do not rise");
	add_slot(x, (struct outbox_slot){
			    .record_no = record_no, .ask_id = ask_id, .at = at, .len = len, .kind = (uint8_t)kind });
	*(bool *)map_put_u64(&x->replayed, ask_id, NULL) = true;
	return ERR_OK;
}

void outbox_index_replay_reserve(struct outbox_index *x, uint64_t next)
{
	x->record_no_next = MAX_OF(x->record_no_next, next);
}

static enum err_code replay_record(struct outbox_index *x, const struct outbox_entry *e, struct arena *scratch,
                                   struct error *reterr)
{
	struct outbox_answer answer;
	const struct msg_record *r = NULL;
	enum err_code err;
	arena_reset(scratch);
	if (e->kind == OUTBOX_ANSWER) {
		err = outbox_read_answer(e, scratch, &answer, reterr);
		r = err ? NULL : answer.record;
	} else {
		err = outbox_read_record(e, scratch, &r, reterr);
	}
	if (err)
		return err;
	return outbox_index_replay_record(x, e->kind, e->record_no, r->ask_id, (uint32_t)e->at,
	                                  (uint32_t)(e->end - e->at), reterr);
}

static enum err_code replay_entry(struct outbox_index *x, const struct outbox_entry *e, uint64_t now_ms,
                                  struct arena *scratch, struct error *reterr)
{
	uint64_t next = 0;
	switch (e->kind) {
	case OUTBOX_ANSWER:
	case OUTBOX_RESULT:
	case OUTBOX_ATTEMPT:
		if (e->record_no > RECORD_NO_MAX)
			return error_set(reterr, ERR_CORRUPT, "a record number that was never given");
		x->record_no_next = MAX_OF(x->record_no_next, e->record_no + 1); /* also when it cannot be read */
		return replay_record(x, e, scratch, reterr);
	case OUTBOX_TRIM:
		for (size_t i = 0; i < outbox_trim_count(e); i++) {
			struct record_range range = outbox_trim_at(e, i);
			(void)outbox_index_commit(x, &range, 1, now_ms); /* how many is of no use here */
		}
		return ERR_OK;
	case OUTBOX_RESERVE:
		if (!outbox_read_reserve(e, &next) || next > RECORD_NO_MAX)
			return error_set(reterr, ERR_CORRUPT, "a reservation that was never made");
		outbox_index_replay_reserve(x, next);
		return ERR_OK;
	case OUTBOX_CONTEXT:
		return ERR_OK;
	}
	return ERR_OK; /* a kind of a later version */
}

enum err_code outbox_index_replay(struct outbox_index *x, const struct outbox_id *id, uint64_t segment_no,
                                  struct str bytes, uint64_t now_ms, struct arena *scratch, size_t *ret_end,
                                  struct error *reterr)
{
	struct outbox_segment header = { .id = *id, .segment_no = segment_no };
	struct outbox_segment found = header;
	enum err_code err = outbox_segment_read(bytes, &found, reterr);
	if (err == ERR_UNSUPPORTED)
		return err;
	if (!err && (!outbox_id_eq(found.id, *id) || found.segment_no != segment_no))
		return error_set(reterr, ERR_CORRUPT, "segment %llu belongs to another outbox",
		                 (unsigned long long)segment_no);
	if (err)
		x->damaged_count++; /* its entries can be read all the same */
	else
		x->record_no_next = MAX_OF(x->record_no_next, found.record_no_next);
	outbox_index_segment(x, segment_no);
	size_t at = MIN_OF((size_t)OUTBOX_SEGMENT_HEADER_BYTES, bytes.len);
	struct outbox_entry e;
	while (outbox_entry_next(bytes, &at, outbox_salt(&header), &e, &x->damaged_count)) {
		err = replay_entry(x, &e, now_ms, scratch, reterr);
		if (err && err != ERR_CORRUPT)
			return err;
		x->damaged_count += err == ERR_CORRUPT;
	}
	x->damaged_count += at < bytes.len; /* a torn end, or rot in the last entry: nobody can tell which */
	*ret_end = at;
	return ERR_OK;
}

void outbox_index_replayed(struct outbox_index *x)
{
	if (x->damaged_count > 0)
		x->record_no_next += OUTBOX_SKIP_AFTER_DAMAGE;
	x->record_no_reserved = x->record_no_next;
}

bool outbox_index_has_ask(const struct outbox_index *x, uint64_t ask_id)
{
	return map_get_u64(&x->replayed, ask_id) != NULL;
}

void outbox_index_forget_asks(struct outbox_index *x)
{
	map_done(&x->replayed);
	map_init(&x->replayed, sizeof(bool));
}

/* ---- writing ---- */

bool outbox_index_must_reserve(const struct outbox_index *x, uint64_t number_count, uint64_t *ret_next)
{
	if (x->record_no_next + number_count <= x->record_no_reserved)
		return false;
	*ret_next = x->record_no_next + number_count + OUTBOX_RESERVE_COUNT;
	return true;
}

void outbox_index_reserved(struct outbox_index *x, uint64_t next)
{
	x->record_no_reserved = MAX_OF(x->record_no_reserved, next);
}

uint64_t outbox_index_number(struct outbox_index *x)
{
	check(x->record_no_next < x->record_no_reserved);
	return x->record_no_next++;
}

void outbox_index_add(struct outbox_index *x, const struct record *r, uint32_t at, uint32_t len, bool loaded)
{
	enum outbox_kind kind = r->m.kind == RECORD_ATTEMPT ? OUTBOX_ATTEMPT : OUTBOX_RESULT;
	add_slot(x, (struct outbox_slot){
			    .record_no = r->m.record_no,
			    .ask_id = r->m.ask_id,
			    .at = at,
			    .len = len,
			    .kind = (uint8_t)(r->is_answer ? OUTBOX_ANSWER : kind),
			    .loaded = loaded,
		    });
}

void outbox_index_remove(struct outbox_index *x, uint64_t record_no)
{
	struct outbox_part *p;
	struct outbox_slot *s = find(x, record_no, &p);
	if (!s)
		return;
	uint64_t *answer = map_get_u64(&x->answers, s->ask_id);
	if (answer && *answer == record_no)
		(void)map_remove_u64(&x->answers, s->ask_id); /* it was just found */
	count(x, p, s, -1);
	for (size_t i = (size_t)(s - p->slots); i + 1 < p->len; i++)
		p->slots[i] = p->slots[i + 1];
	p->len--;
	p->load_from = 0;
}

void outbox_index_unload(struct outbox_index *x, uint64_t record_no)
{
	struct outbox_part *p;
	struct outbox_slot *s = find(x, record_no, &p);
	if (!s)
		return;
	count(x, p, s, -1);
	s->loaded = false;
	count(x, p, s, +1);
	p->load_from = 0;
}

/* ---- commit ---- */

static void commit_slot(struct outbox_index *x, struct outbox_part *p, struct outbox_slot *s, uint64_t now_ms)
{
	uint64_t ask_id = s->ask_id;
	set_done(x, p, s, now_ms);
	uint64_t *answer = map_get_u64(&x->answers, ask_id);
	if (!answer)
		return;
	struct outbox_part *answer_part;
	struct outbox_slot *answer_slot = find(x, *answer, &answer_part);
	if (answer_slot && !answer_slot->done)
		set_done(x, answer_part, answer_slot, now_ms);
	(void)map_remove_u64(&x->answers, ask_id); /* it was just found */
}

uint64_t outbox_index_commit(struct outbox_index *x, const struct record_range *ranges, size_t range_count,
                             uint64_t now_ms)
{
	uint64_t done_count = 0;
	for (size_t r = 0; r < range_count; r++)
		for (size_t i = 0; i < x->part_count; i++) {
			struct outbox_part *p = &x->parts[i];
			for (size_t at = first_at_or_above(p, ranges[r].first);
			     at < p->len && p->slots[at].record_no <= ranges[r].last; at++)
				if (!p->slots[at].done) {
					commit_slot(x, p, &p->slots[at], now_ms);
					done_count++;
				}
		}
	return done_count;
}

uint64_t outbox_index_reopen(struct outbox_index *x, uint64_t now_ms)
{
	uint64_t open_count = 0;
	for (size_t i = 0; i < x->part_count; i++) {
		struct outbox_part *p = &x->parts[i];
		p->load_from = 0;
		for (size_t at = 0; at < p->len; at++) {
			struct outbox_slot *s = &p->slots[at];
			if (!s->done || !is_sent(s) || now_ms >= s->done_ms + OUTBOX_KEEP_MS)
				continue;
			s->done = false;
			s->loaded = false;
			count(x, p, s, +1);
			open_count++;
		}
	}
	return open_count;
}

/* ---- questions ---- */

static struct outbox_place place_of(const struct outbox_part *p, const struct outbox_slot *s)
{
	return (struct outbox_place){ p->segment_no, s->record_no, s->at, s->len };
}

bool outbox_index_load(struct outbox_index *x, struct outbox_place *ret_place)
{
	for (size_t i = 0; i < x->part_count; i++) {
		struct outbox_part *p = &x->parts[i];
		for (; p->unloaded > 0 && p->load_from < p->len; p->load_from++) {
			struct outbox_slot *s = &p->slots[p->load_from];
			if (s->done || s->loaded || !is_sent(s))
				continue;
			count(x, p, s, -1);
			s->loaded = true;
			count(x, p, s, +1);
			*ret_place = place_of(p, s);
			return true;
		}
	}
	return false;
}

bool outbox_index_find(const struct outbox_index *x, uint64_t record_no, struct outbox_place *ret_place)
{
	struct outbox_part *p;
	const struct outbox_slot *s = find(x, record_no, &p);
	if (s)
		*ret_place = place_of(p, s);
	return s != NULL;
}

void outbox_index_ship(struct outbox_index *x, uint64_t record_no)
{
	struct outbox_part *p;
	struct outbox_slot *s = find(x, record_no, &p);
	if (!s || s->done || s->kind != OUTBOX_ANSWER)
		return;
	count(x, p, s, -1);
	s->shipped = s->loaded = true;
	count(x, p, s, +1);
}

bool outbox_index_next_answer(const struct outbox_index *x, size_t *part, size_t *at, struct outbox_place *ret_place)
{
	for (; *part < x->part_count; (*part)++, *at = 0) {
		const struct outbox_part *p = &x->parts[*part];
		for (; *at < p->len; (*at)++) {
			const struct outbox_slot *s = &p->slots[*at];
			if (is_sent(s) || s->done || s->covered)
				continue;
			*ret_place = place_of(p, s);
			(*at)++;
			return true;
		}
	}
	return false;
}

/* Oldest first: the mark that a record is committed never stands before it, so it is kept as long as the record. */
uint64_t outbox_index_next_deadline_ms(const struct outbox_index *x)
{
	if (x->part_count < 2 || x->parts[0].open > 0)
		return UINT64_MAX;
	return x->parts[0].len == 0 ? 0 : x->parts[0].done_ms_max + OUTBOX_KEEP_MS;
}

bool outbox_index_droppable(const struct outbox_index *x, uint64_t now_ms, uint64_t *ret_segment_no)
{
	if (now_ms < outbox_index_next_deadline_ms(x))
		return false;
	*ret_segment_no = x->parts[0].segment_no;
	return true;
}

void outbox_index_drop(struct outbox_index *x, uint64_t segment_no)
{
	for (size_t i = 0; i < x->part_count; i++) {
		if (x->parts[i].segment_no != segment_no)
			continue;
		check(x->parts[i].open == 0);
		mem_free(x->parts[i].slots);
		for (size_t j = i; j + 1 < x->part_count; j++)
			x->parts[j] = x->parts[j + 1];
		x->part_count--;
		return;
	}
}
