/* common/base/banned.h - calls that have a safer form here; put before every source by the build.
 *
 * The system headers come first, so that the macros meet only our own code. */
#ifndef ASSAY_BASE_BANNED_H
#define ASSAY_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>

#define strcpy(...) strcpy_is_banned_use_struct_str
#define strcat(...) strcat_is_banned_use_struct_buf
#define strncpy(...) strncpy_is_banned_use_struct_buf
#define strncat(...) strncat_is_banned_use_struct_buf
#undef sprintf
#define sprintf(...) sprintf_is_banned_use_snprintf
#undef vsprintf
#define vsprintf(...) vsprintf_is_banned_use_vsnprintf
#define strtok(...) strtok_is_banned_use_str_split
#define gets(...) gets_is_banned
#define atoi(...) atoi_is_banned_use_str_to_i64
#define atol(...) atol_is_banned_use_str_to_i64
#define atof(...) atof_is_banned_use_str_to_double
#define strtol(...) strtol_is_banned_use_str_to_i64
#define strtoul(...) strtoul_is_banned_use_str_to_u64
#define rand(...) rand_is_banned_use_struct_rng
#define random(...) random_is_banned_use_struct_rng
#define time(...) time_is_banned_use_clock
#define gettimeofday(...) gettimeofday_is_banned_use_clock
#define localtime(...) localtime_is_banned_use_utc
#define gmtime(...) gmtime_is_banned_use_gmtime_r
#define system(...) system_is_banned_use_process
#define popen(...) popen_is_banned_use_process
#undef alloca
#define alloca(...) alloca_is_banned

#ifndef ASSAY_MEM_IMPLEMENTATION
#define malloc(...) malloc_is_banned_use_mem_new
#define calloc(...) calloc_is_banned_use_mem_new
#define realloc(...) realloc_is_banned_use_mem_grow
#endif

#endif
