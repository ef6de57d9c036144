/* tests/unit/io/http_server.h - an HTTP server that misbehaves on request; one thread, raw sockets on loopback.
 *
 * The path says what to do, the number behind it how much or how long:
 *   /ok            200, body "hello", keep-alive
 *   /echo          200, the request's body
 *   /head          200, the request's head as the body
 *   /status/N      that status
 *   /delay/MS      200 after that time
 *   /drip/MS       200, ten bytes, one each MS
 *   /stall         the head and one byte of ten, then nothing
 *   /hang          nothing at all
 *   /close         closes when the request has come
 *   /second        200 to the first request of a connection, closes on the second
 *   /gone          as /second, and nobody listens any more
 *   /partial       closes inside the body
 *   /garbage       what is not HTTP
 *   /badchunk      a chunked body with a broken length
 *   /big/N         a body of N bytes with its length; /chunks/N without, in chunks
 *   /headers/N     N header lines of 100 bytes
 *   /interim       100 Continue first, a trailer last
 *   /redirect      302 to /ok
 *   /deaf          reads the head, never the body, never answers */
#ifndef ASSAY_TESTS_UNIT_IO_HTTP_SERVER_H
#define ASSAY_TESTS_UNIT_IO_HTTP_SERVER_H

#include "common/base/base.h"

struct http_server;

struct http_server *http_server_start(const char *unix_path); /* NULL: TCP on a free port */
void http_server_stop(struct http_server *s);
int http_server_port(const struct http_server *s);
unsigned http_server_requests(struct http_server *s);    /* whole ones that came in */
unsigned http_server_connections(struct http_server *s); /* ever accepted */

#endif
