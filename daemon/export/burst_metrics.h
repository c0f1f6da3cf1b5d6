// SPDX-License-Identifier: Apache-2.0
// Lock bursts as metrics.
#pragma once

namespace raceguard::exporting {

class FamilyList;
struct BurstView;

void put_bursts(FamilyList& out, const BurstView& bursts);

}  // namespace raceguard::exporting
