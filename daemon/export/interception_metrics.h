// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace raceguard::exporting {

class FamilyList;
struct InterceptionsView;

void put_interceptions(FamilyList& out, const InterceptionsView& interceptions);

}  // namespace raceguard::exporting
