// SPDX-License-Identifier: Apache-2.0
// The other unit of `variables`: it declares what variables.cpp defines, and has a static of the same name.
#include "variables.h"

static int hidden = 20;

namespace shop {
int deposit(Account* account, int cents) { return static_cast<int>(account->add(cents) + hidden++); }
long Account::add(long cents) { return balance.cents += cents; }
}  // namespace shop

int from_c(shop::Config* config) { return static_cast<int>(++counter) + config->version; }
