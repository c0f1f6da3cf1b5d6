/* SPDX-License-Identifier: Apache-2.0 */
/* The same in C. */
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

typedef struct {
	int id;
	struct node *next;
} item_t;
struct node {
	item_t item;
};
typedef volatile long ticks_t;

_Atomic long total;
atomic_int small_total;
ticks_t ticks;
static item_t items[4];
struct node *list;
_Thread_local int per_thread;
static const int limits[2] = {1, 2};
mtx_t c11_lock;
pthread_mutex_t locks[2];
long double wide;
enum { RED, GREEN } colour;

static int next_id(void)
{
	static int last;
	return ++last;
}

int main(int argc, char **argv)
{
	(void)argv;
	total += argc;
	small_total++;
	ticks++;
	items[argc & 3].id = next_id() + limits[argc & 1];
	items[1].next = list;
	per_thread++;
	wide += 1;
	colour = argc > 2 ? RED : GREEN;
	mtx_init(&c11_lock, mtx_plain);
	return pthread_mutex_lock(&locks[0]);
}
