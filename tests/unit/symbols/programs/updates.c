/* SPDX-License-Identifier: Apache-2.0 */
/* What compilers make of updates; read_modify_write_test.cpp looks at each access to the variable in a function. */
struct stock {
	long pad;
	int count;
	double price;
};
int total;
long flag;
struct stock shelf;
struct stock *volatile current = &shelf;

__attribute__((noinline)) void yes_increment(void) { total++; }
__attribute__((noinline)) void yes_add(int by) { total += by; }
__attribute__((noinline)) int yes_post_increment(void) { return total++; }
__attribute__((noinline)) void yes_member(struct stock *s) { s->count = s->count * 3 - 1; }
__attribute__((noinline)) void yes_price(struct stock *s) { s->price += 0.5; }
__attribute__((noinline)) void no_set(void) { flag = 1; }
__attribute__((noinline)) long no_get(void) { return flag; }
__attribute__((noinline)) void no_copy(void) { flag = total; }

int main(int argc, char **argv)
{
	(void)argv;
	yes_increment();
	yes_add(argc);
	yes_member(current);
	yes_price(current);
	no_set();
	no_copy();
	return yes_post_increment() + (int)no_get();
}
