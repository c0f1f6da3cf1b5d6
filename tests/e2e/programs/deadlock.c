// SPDX-License-Identifier: Apache-2.0
// deadlock KIND: at SIGUSR1 it locks itself up, or does what only looks like it. Every thread takes its first lock before
// any goes for its second, so it happens each time.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define VISIBLE __attribute__((noipa)) // its name is in the stack

pthread_mutex_t account_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t audit_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t mail_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t nested_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t all_have_one;
static pthread_t threads[8];
static int started;

static void start(const char *name, void *(*body)(void *))
{
	pthread_create(&threads[started], 0, body, 0);
	pthread_setname_np(threads[started++], name);
}

static void meet(int count, void *(*const *bodies)(void *))
{
	char name[16];

	pthread_barrier_init(&all_have_one, 0, (unsigned)count + 1);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "worker-%d", i + 1);
		start(name, bodies[i]);
	}
	pthread_barrier_wait(&all_have_one); // who comes later finds every first lock taken
}

// Locks one, waits until the others have theirs, and locks the other.
VISIBLE int lock_both(pthread_mutex_t *one, pthread_mutex_t *other)
{
	pthread_mutex_lock(one);
	pthread_barrier_wait(&all_have_one);
	pthread_mutex_lock(other); // here it waits
	return 0;
}

VISIBLE void *transfer(void *unused)
{
	lock_both(&account_lock, &audit_lock);
	return unused;
}
VISIBLE void *audit(void *unused)
{
	lock_both(&audit_lock, &account_lock);
	return unused;
}
VISIBLE void *audit_and_mail(void *unused)
{
	lock_both(&audit_lock, &mail_lock);
	return unused;
}
VISIBLE void *mail(void *unused)
{
	lock_both(&mail_lock, &account_lock);
	return unused;
}
VISIBLE void *read_table(void *unused)
{
	pthread_mutex_lock(&account_lock);
	pthread_barrier_wait(&all_have_one);
	pthread_rwlock_rdlock(&table_lock); // here it waits
	return unused;
}
VISIBLE void *write_table(void *unused)
{
	pthread_rwlock_wrlock(&table_lock);
	pthread_barrier_wait(&all_have_one);
	pthread_mutex_lock(&account_lock); // here it waits
	return unused;
}
VISIBLE void *lock_twice(void *unused)
{
	pthread_mutex_lock(&account_lock);
	pthread_mutex_lock(&account_lock); // here it waits
	return unused;
}
VISIBLE void *look_on(void *unused)
{
	pthread_mutex_lock(&account_lock);
	return unused;
}
static void *lock_and_end(void *unused)
{
	pthread_mutex_lock(&account_lock);
	return unused;
}

// It gives up after a minute: no deadlock.
VISIBLE void *transfer_for_a_while(void *unused)
{
	struct timespec end;

	pthread_mutex_lock(&account_lock);
	pthread_barrier_wait(&all_have_one);
	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 60;
	pthread_mutex_timedlock(&audit_lock, &end);
	return unused;
}
// Holds a lock for long, and works: no deadlock.
static void *work(void *unused)
{
	pthread_mutex_lock(&mail_lock);
	pthread_mutex_lock(&nested_lock);
	pthread_mutex_lock(&nested_lock);
	pthread_barrier_wait(&all_have_one);
	sleep(60);
	return unused;
}
static void *wait_for_work(void *unused)
{
	pthread_barrier_wait(&all_have_one);
	pthread_mutex_lock(&mail_lock);
	return unused;
}
static void *wait_for_nested(void *unused)
{
	pthread_barrier_wait(&all_have_one);
	pthread_mutex_lock(&nested_lock);
	return unused;
}

// A child that does not outlive its parent.
static int is_child(void)
{
	const int child = fork() == 0;

	if (child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static void nothing(int number)
{
	(void)number;
}

// A signal a tenth of a second: each ends the thread's futex call, which begins anew.
static void disturb(pthread_t thread)
{
	const struct sigaction action = {.sa_handler = nothing};
	const struct timespec tenth = {0, 100000000};

	sigaction(SIGUSR2, &action, 0);
	for (;;) {
		nanosleep(&tenth, 0);
		pthread_kill(thread, SIGUSR2);
	}
}

#define MEET(...) meet(sizeof((void *(*[])(void *)){__VA_ARGS__}) / sizeof(void *), (void *(*[])(void *)){__VA_ARGS__})

static void run(const char *kind)
{
	if (!strcmp(kind, "pair")) {
		MEET(transfer, audit);
	} else if (!strcmp(kind, "disturbed")) {
		MEET(transfer, audit);
		disturb(threads[0]);
	} else if (!strcmp(kind, "ring")) {
		MEET(transfer, audit_and_mail, mail);
		start("onlooker", look_on);
	} else if (!strcmp(kind, "self")) {
		start("worker-1", lock_twice);
	} else if (!strcmp(kind, "rwlock")) {
		MEET(read_table, write_table);
	} else if (!strcmp(kind, "abandoned")) {
		start("gone", lock_and_end);
		pthread_join(threads[0], 0);
		start("worker-1", look_on);
	} else if (!strcmp(kind, "forked")) { // the child has the lock of a thread that it does not have
		start("holder", look_on);
		while (pthread_mutex_trylock(&account_lock) == 0)
			pthread_mutex_unlock(&account_lock);
		if (is_child())
			look_on(0);
	} else if (!strcmp(kind, "atfork")) { // the child may unlock what its parent locked, and will
		pthread_mutex_lock(&account_lock);
		if (is_child())
			start("worker-1", look_on);
	} else if (!strcmp(kind, "free")) {
		MEET(transfer_for_a_while, audit, work, wait_for_work, wait_for_nested);
	}
}

int main(int count, char **arguments)
{
	sigset_t wanted;
	int number;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGUSR1);
	sigprocmask(SIG_BLOCK, &wanted, 0);
	printf("ready\n");
	fflush(stdout);
	sigwait(&wanted, &number);
	run(count > 1 ? arguments[1] : "");
	printf("done\n");
	fflush(stdout);
	for (;;)
		pause();
}
