// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: shared.text
// builds: O0-g O2-g O2-stripped O2-static
// rate: 4000 a second a thread
// A byte over a socket pair says that the other may have the text now.
#include <string.h>
#include <sys/socket.h>

#include "support/pace.h"

struct shared {
  char text[64];
  long length;
};
struct shared shared;

static void talk(int socket, const char *words) {
  char turn;
  while (read(socket, &turn, 1) == 1) {
    memset(shared.text, 0, sizeof(shared.text));
    shared.length = (long)strlen(words);
    memcpy(shared.text, words, (size_t)shared.length);
    pause_us(80);
    use(shared.text[0] + shared.length);
    if (write(socket, &turn, 1) != 1) abort();
  }
}

static void *other(void *socket) {
  talk((int)(long)socket, "a longer sentence than the first");
  return NULL;
}

int main(int argc, char **argv) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) abort();
  end_with_stdin(argc, argv);
  start_thread(other, (void *)(long)ends[1]);
  if (write(ends[0], "", 1) != 1) abort();
  talk(ends[0], "short");
}
