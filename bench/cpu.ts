import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** `pid` and all its descendants that live now. */
export function processTree(pid: number): number[] {
  const pids = [pid];
  for (let i = 0; i < pids.length; i += 1) {
    const path = `/proc/${pids[i]}/task`;
    for (const thread of list(path)) {
      const children = read(`${path}/${thread}/children`).trim();
      if (children !== '') pids.push(...children.split(' ').map(Number));
    }
  }
  return pids;
}

/**
 * CPU time of a process tree: user + system of all threads, living or ended, and of descendants, living or waited for.
 * The kernel accounts precisely but tells in clock ticks (10 ms), so it serves for intervals of seconds.
 * @returns microseconds
 */
export function cpuMicros(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) {
    const stat = read(`/proc/${member}/stat`);
    if (stat !== '') ticks += statTicks(stat);
  }
  return (ticks * 1_000_000) / ticksPerSecond();
}

/**
 * CPU time of the living threads of one process: precise enough for intervals of milliseconds, for a process whose threads
 * stay. Falls back to `cpuMicros` where the kernel does not tell.
 * @returns microseconds
 */
export function threadMicros(pid: number): number {
  let milliseconds = 0;
  for (const thread of list(`/proc/${pid}/task`)) {
    const match = /^se\.sum_exec_runtime\s*:\s*([\d.]+)$/m.exec(read(`/proc/${pid}/task/${thread}/sched`));
    if (match === null) return cpuMicros(pid);
    milliseconds += Number(match[1]);
  }
  return milliseconds * 1000;
}

/** utime + stime + cutime + cstime of a line of /proc/PID/stat (proc(5)); the name in brackets may hold anything. */
export function statTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

/** Resident memory of a process tree (VmRSS), in octets. */
export function residentOctets(pid: number): number {
  let kibibytes = 0;
  for (const member of processTree(pid)) {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${member}/status`));
    kibibytes += Number(line?.[1] ?? 0);
  }
  return kibibytes * 1024;
}

let ticks: number | undefined;
function ticksPerSecond(): number {
  ticks ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ticks;
}

/** A process may end between being listed and being read. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
