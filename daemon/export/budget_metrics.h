// SPDX-License-Identifier: Apache-2.0
// What probes cost as metrics.
#pragma once

namespace raceguard::exporting {

class FamilyList;
struct BudgetView;

void put_budget(FamilyList& out, const BudgetView& budget);
void put_contention_budget(FamilyList& out, const BudgetView& budget);

}  // namespace raceguard::exporting
