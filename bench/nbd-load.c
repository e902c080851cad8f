/* Load over one NBD connection for what fio's engine cannot do: TLS with a key file. Keeps a number of requests in flight
 * for some seconds and prints "<requests> <seconds>".
 *
 *   nbd-load URI read|write|mixed seq|random BLOCK_BYTES DEPTH RAMP_SECONDS SECONDS SPAN_BYTES
 *
 * What is done in the first seconds is not counted. */

#include <libnbd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state = 88172645463325252ULL;

static uint64_t chance(void) { /* xorshift: good enough to choose blocks */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, nbd_get_error());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 9) {
    fprintf(stderr, "usage: nbd-load URI read|write|mixed seq|random BLOCK_BYTES DEPTH RAMP_SECONDS SECONDS SPAN_BYTES\n");
    return 2;
  }
  const char *op = argv[2];
  int is_random = strcmp(argv[3], "random") == 0;
  uint64_t block = strtoull(argv[4], NULL, 10), span = strtoull(argv[8], NULL, 10);
  int depth = atoi(argv[5]);
  double ramp = atof(argv[6]), seconds = atof(argv[7]);

  struct nbd_handle *nbd = nbd_create();
  if (!nbd) die("nbd_create");
  nbd_set_uri_allow_local_file(nbd, true);
  if (nbd_connect_uri(nbd, argv[1]) == -1) die("connect");

  char *buffers = malloc(depth * block);
  for (uint64_t i = 0; i < depth * block; i += 8) *(uint64_t *)(buffers + i) = chance();
  int64_t *cookies = calloc(depth, sizeof *cookies);
  uint64_t blocks = span / block, next = 0, done = 0;
  double start = now() + ramp, end = start + seconds, last = now();
  int running = depth, stopping = 0;

  for (int i = 0; i < depth; i++) cookies[i] = 0;
  while (running > 0) {
    for (int i = 0; i < depth; i++) {
      if (cookies[i] > 0) {
        int r = nbd_aio_command_completed(nbd, cookies[i]);
        if (r == -1) die("request");
        if (r == 0) continue;
        if (last >= start) done++;
        cookies[i] = 0;
      }
      if (cookies[i] == 0) {
        if (stopping) {
          cookies[i] = -1;
          running--;
          continue;
        }
        uint64_t offset = (is_random ? chance() % blocks : next++ % blocks) * block;
        int is_read = op[0] == 'r' || (op[0] == 'm' && chance() % 10 < 7);
        void *data = buffers + i * block;
        cookies[i] = is_read ? nbd_aio_pread(nbd, data, block, offset, NBD_NULL_COMPLETION, 0)
                             : nbd_aio_pwrite(nbd, data, block, offset, NBD_NULL_COMPLETION, 0);
        if (cookies[i] == -1) die("issue");
      }
    }
    last = now();
    if (last >= end) stopping = 1;
    if (running > 0 && nbd_poll(nbd, -1) == -1) die("poll");
  }
  printf("%llu %.6f\n", (unsigned long long)done, now() - start);
  nbd_shutdown(nbd, 0);
  return 0;
}
