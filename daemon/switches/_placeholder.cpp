// SPDX-License-Identifier: Apache-2.0
#include "daemon/switches/switch_table.h"
