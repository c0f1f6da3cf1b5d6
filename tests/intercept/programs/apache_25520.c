// SPDX-License-Identifier: Apache-2.0
// Apache httpd bug 25520 (2.0.48, mod_log_config), after the description in Yu's collection (github.com/jieyu/
// concurrency-bugs, apache-25520; bz.apache.org/bugzilla/show_bug.cgi?id=25520). Own code, with Apache's function and
// steps: threads append to one log buffer, whose fill count is read, used, and raised later, without a lock. Wrong:
// lines of the log that are damaged or missing.
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "rounds.h"

#define LOG_BUFSIZE 4096
#define LINE 40

struct buffered_log {
  FILE* file;
  size_t outcnt;
  char outbuf[LOG_BUFSIZE];
};

static struct buffered_log access_log;

static void flush_log(struct buffered_log* log) {
  if (log->outcnt != 0) {
    fwrite(log->outbuf, 1, log->outcnt, log->file);
    log->outcnt = 0;
  }
}

REAL int ap_buffered_log_writer(void* request, void* handle, const char** parts, const int* lengths, int count,
                                size_t length) {
  struct buffered_log* log = handle;
  (void)request;
  if (length + log->outcnt > LOG_BUFSIZE) flush_log(log);
  char* at = &log->outbuf[log->outcnt];
  for (int i = 0; i < count; i++) {
    if (at + lengths[i] > log->outbuf + LOG_BUFSIZE) return 1; /* Apache wrote on: this program is to live */
    memcpy(at, parts[i], (size_t)lengths[i]);
    at += lengths[i];
  }
  log->outcnt += length;
  return 0;
}

/* LINE bytes: thread, number, their check. */
static void work(long index, long rounds) {
  for (long i = 0; i < rounds; i++) {
    char first[LINE], last[LINE];
    const char* parts[] = {first, last};
    snprintf(first, sizeof(first), "GET /%03ld/%08ld ", index, i);
    snprintf(last, sizeof(last), "%022ld\n", index * 7919 + i * 31);
    const int lengths[] = {(int)strlen(first), (int)strlen(last)};
    ap_buffered_log_writer(NULL, &access_log, parts, lengths, 2, (size_t)(lengths[0] + lengths[1]));
  }
}

/* Lines that should be there and are not, or are and should not: damaged, twice. */
static long count_wrong(FILE* file, int threads, long rounds) {
  char* seen = calloc((size_t)(threads * rounds), 1);
  char line[4096];
  long lines = 0, distinct = 0, index, number, check;
  rewind(file);
  while (fgets(line, sizeof(line), file) != NULL) {
    lines++;
    if (sscanf(line, "GET /%ld/%ld %ld", &index, &number, &check) != 3 || strlen(line) != LINE + 1 || index < 0 ||
        index >= threads || number < 0 || number >= rounds || check != index * 7919 + number * 31) {
      continue;
    }
    distinct += !seen[index * rounds + number];
    seen[index * rounds + number] = 1;
  }
  free(seen);
  return threads * rounds - distinct + lines - distinct;
}

static long run(int threads, long rounds) {
  access_log.file = tmpfile();
  access_log.outcnt = 0;
  run_threads(threads, rounds, work);
  flush_log(&access_log);
  const long wrong = count_wrong(access_log.file, threads, rounds);
  fclose(access_log.file);
  return wrong;
}

int main(void) { return serve(run); }
