// SPDX-License-Identifier: Apache-2.0
// As compilers write them: functions whose work on a counter is a small part.
#include <unistd.h>
#include <stdexcept>
#include <string>

extern "C" {

long narrow_counter;

__attribute__((noinline)) void pause_a_little(unsigned us) { usleep(us); }

__attribute__((noinline)) void sleeps_around(long amount) {
  pause_a_little(100);
  long value = *static_cast<volatile long*>(&narrow_counter);
  *static_cast<volatile long*>(&narrow_counter) = value + amount;
  pause_a_little(100);
}

__attribute__((noinline)) long returns_early(long amount) {
  if (amount < 0) {
    return -1;
  }
  pause_a_little(1);
  if (amount == 7) {
    pause_a_little(7);
    return 7;
  }
  narrow_counter += amount;
  pause_a_little(2);
  return narrow_counter;
}

__attribute__((noinline)) long by_case(unsigned which, long amount) {
  switch (which) {
    case 0:
      pause_a_little(5);
      break;
    case 1:
      narrow_counter += amount;
      break;
    case 2:
      pause_a_little(1);
      narrow_counter -= amount;
      break;
    case 3:
      narrow_counter *= amount;
      return 3;
    case 4:
      pause_a_little(2);
      pause_a_little(3);
      break;
    case 5:
      return amount;
    default:
      return -1;
  }
  pause_a_little(which);
  return amount * 2;
}

__attribute__((noinline)) long for_each(long rounds) {
  long sum = 0;
  for (long i = 0; i < rounds; ++i) {
    pause_a_little(1);
    narrow_counter += i;
    sum += i;
  }
  return sum;
}
}

__attribute__((noinline)) std::string describe(long amount) {
  if (amount > 10) {
    throw std::runtime_error("too much");
  }
  return std::to_string(amount);
}

__attribute__((noinline)) long catches_inside(long amount) {
  std::string text = "none";
  try {
    text = describe(amount);
    narrow_counter += amount;
  } catch (const std::exception&) {
    text = "failed";
  }
  pause_a_little(3);
  return static_cast<long>(text.size());
}

int main(int argc, char**) {
  sleeps_around(argc);
  return static_cast<int>(by_case(static_cast<unsigned>(argc), argc) + returns_early(argc) + for_each(argc) +
                          catches_inside(argc));
}
