import { Plan_Priority } from '../../generated/tollgate/admin/v1/plan.ts';

/** As options name them. */
export const PRIORITIES = {
  low: Plan_Priority.PRIORITY_LOW,
  normal: Plan_Priority.PRIORITY_NORMAL,
  high: Plan_Priority.PRIORITY_HIGH,
} as const;

/** By number; what is not said is normal. */
export const PRIORITY_NAMES = ['normal', 'low', 'normal', 'high'] as const;
