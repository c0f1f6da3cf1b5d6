// SPDX-License-Identifier: Apache-2.0
#include "daemon/plan/probe_plan.h"
