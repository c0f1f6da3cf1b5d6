/* SPDX-License-Identifier: Apache-2.0 */
#include "app_other.h"

#include <raceguard/switch.h>

RG_SWITCH_DECLARE(app);

int other_file_allows(void)
{
	return rg_allow(app);
}
